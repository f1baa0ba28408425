"""Counts the errors of many simulated reports."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wallet_lab.comparison.simulation.machine import Noise
from wallet_lab.comparison.simulation.report import RECOVERY, Extent, Simulated, simulate
from wallet_lab.statistics.differences import BAND
from wallet_lab.statistics.verdicts import Decision, decide

SEED = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Shares of reports, cells or blocks, each between 0 and 1."""

    false_difference: float
    """Reports in which a pair without a true difference is ahead or behind, or the wrong one of a pair is ahead."""
    false_equality: float
    """Reports in which a pair is called equal that is at the edge of the band or beyond."""
    false_again: float
    """Reports in which the A/A test calls a cell different."""
    coverage: float
    """Cells whose interval contains the true ratio."""
    coverage_of_recovery: float
    """As above, for recovery times only."""
    repeated: float
    """Blocks that were repeated because the control moved."""
    moved: float
    """Blocks that count although their control moved."""
    shown: dict[tuple[str, float], float]
    """Cells with the true verdict (equal for a ratio of 1, else ahead), by figure and true ratio."""


def errors(noise: Noise, ratios: Sequence[float], extent: Extent, reports: int, seed: int = SEED) -> Errors:
    """Simulate this many reports and count their errors. The same seed gives the same counts."""
    draws = random.Random(seed)
    found = [simulate(draws, noise, ratios, extent) for _ in range(reports)]
    covered = defaultdict(list)
    for each in found:
        for cell, decision in each.decisions.items():
            covered[cell[1] == RECOVERY].append(_covers(decision, ratios[cell[2] - 1]))
    attempts = [attempts for each in found for attempts in each.attempts]
    return Errors(
        false_difference=share(
            any(_is_false_difference(*each) for each in _judged(one, ratios)) for one in found
        ),
        false_equality=share(
            any(_is_false_equality(*each) for each in _judged(one, ratios)) for one in found
        ),
        false_again=share(_has_false_again(one) for one in found),
        coverage=share(covered[False]),
        coverage_of_recovery=share(covered[True]),
        repeated=share(each > 1 for each in attempts),
        moved=sum(each.moved for each in found) / len(attempts),
        shown=_shown(found, ratios),
    )


def share(cases: Iterable[bool]) -> float:
    """Return the share of true cases; 0 without cases."""
    listed = list(cases)
    return sum(listed) / len(listed) if listed else 0.0


def _judged(report: Simulated, ratios: Sequence[float]) -> list[tuple[Decision, float]]:
    """Return each decision with its true ratio."""
    return [(decision, ratios[cell[2] - 1]) for cell, decision in report.decisions.items()]


def _is_false_difference(decision: Decision, ratio: float) -> bool:
    return (decision.verdict == "ahead" and ratio <= 1) or (decision.verdict == "behind" and ratio >= 1)


def _is_false_equality(decision: Decision, ratio: float) -> bool:
    return decision.verdict == "equal" and not 1 / BAND < ratio < BAND


def _has_false_again(report: Simulated) -> bool:
    return any(each.verdict in {"ahead", "behind"} for each in decide(report.second_runs).values())


def _covers(decision: Decision, ratio: float) -> bool:
    return decision.difference.low <= ratio <= decision.difference.high


def _shown(reports: list[Simulated], ratios: Sequence[float]) -> dict[tuple[str, float], float]:
    right = defaultdict(list)
    for report in reports:
        for cell, decision in report.decisions.items():
            ratio = ratios[cell[2] - 1]
            right[cell[1], ratio].append(decision.verdict == ("ahead" if ratio > 1 else "equal"))
    return {each: share(cases) for each, cases in right.items()}
