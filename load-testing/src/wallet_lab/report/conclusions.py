"""Computes from the report which architecture is ahead, by how much, and how certain this is."""

from collections.abc import Mapping
from dataclasses import dataclass

from wallet_lab.report.model import Recovery, Report
from wallet_lab.report.selection import (
    MEASURES,
    Better,
    architectures,
    by_repeat,
    missing,
    runs_of,
    scenarios,
)
from wallet_lab.report.statistics import Certainty, Estimate, certainty, estimate, paired_ratio

Values = Mapping[str, Mapping[int, float]]
"""Figures by architecture and repeat."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The result of one comparison."""

    estimates: Mapping[str, Estimate]
    """By architecture, in the unit of the comparison."""
    ahead: str | None = None
    ratio: Estimate | None = None
    """How many times better the leading architecture is, at least 1; None also if the other's figure is 0."""
    certainty: Certainty = "none"
    missing: str = ""
    """One sentence on why there is no comparison, by architecture; empty if there is one."""


def judge(values: Values, better: Better) -> Conclusion:
    """Compare the first two architectures, repeat by repeat."""
    estimates = {name: found for name, each in values.items() if (found := estimate(list(each.values())))}
    if len(estimates) < 2:
        return Conclusion(estimates)
    (first, a), (second, b) = list(values.items())[:2]
    ratio = paired_ratio(a, b) if better == "more" else paired_ratio(b, a)
    if ratio is None:
        return _judge_zero(estimates, first, second, better)
    sure = certainty(ratio)
    if ratio.median < 1:
        first, ratio = second, _inverse(ratio)
    return Conclusion(estimates, None if sure == "none" else first, ratio, sure)


def _inverse(ratio: Estimate) -> Estimate:
    return Estimate(1 / ratio.median, 1 / ratio.high, 1 / ratio.low, ratio.repeats)


def _judge_zero(estimates: Mapping[str, Estimate], first: str, second: str, better: Better) -> Conclusion:
    """Decide by the intervals if no ratio exists: they must not overlap."""
    low, high = sorted((first, second), key=lambda name: estimates[name].high)
    if estimates[low].high >= estimates[high].low:
        return Conclusion(estimates)
    fewest = min(estimates[first].repeats, estimates[second].repeats)
    sure = certainty(Estimate(2, 2, 2, fewest))
    return Conclusion(estimates, high if better == "more" else low, None, sure)


def load_conclusions(report: Report) -> dict[str, dict[str, Conclusion]]:
    """Return conclusions by scenario, then by the measure's name."""
    found = {}
    for scenario in scenarios(report):
        runs = {name: runs_of(report, name, scenario) for name in architectures(report)}
        why = "; ".join(f"{name} {reason}" for name, each in runs.items() if (reason := missing(each)))
        found[scenario] = {
            measure.name: Conclusion({}, missing=why)
            if why
            else judge({name: by_repeat(each, measure) for name, each in runs.items()}, measure.better)
            for measure in MEASURES
        }
    return {
        scenario: row
        for scenario, row in found.items()
        if any(v.estimates or v.missing for v in row.values())
    }


AT_ONCE_MS = 1.0
"""Shorter delays count as 0, because a ratio to a near-zero delay would be large and meaningless."""


def delay_conclusions(report: Report) -> dict[str, Conclusion]:
    """Return conclusions by background load, on the median time from a write's response until a read shows it."""
    found = {}
    for load in dict.fromkeys(delay.load for delay in report.consistency_delay_ms):
        values = {
            name: {
                delay.repeat: delay.p50 if delay.p50 >= AT_ONCE_MS else 0.0
                for delay in report.consistency_delay_ms
                if (delay.architecture, delay.load) == (name, load)
            }
            for name in architectures(report)
        }
        found[load] = judge(values, "less")
    return found


COMPARED_MOMENTS = ("first_success_s", "converged_s")
"""The compared moments of a recovery."""


def recovery_conclusions(report: Report) -> dict[str, dict[str, Conclusion]]:
    """Return conclusions by the fault's role, then by the moment, for roles that faults hit in both architectures."""
    found = {}
    for hit in dict.fromkeys(recovery.hits for recovery in report.recovery if recovery.hits):
        hits = [recovery for recovery in report.recovery if recovery.hits == hit]
        if len({recovery.architecture for recovery in hits}) > 1:
            found[hit] = {name: _recovery_conclusion(report, hits, name) for name in COMPARED_MOMENTS}
    return found


def _recovery_conclusion(report: Report, hits: list[Recovery], field: str) -> Conclusion:
    why = "; ".join(f"{r.architecture} withheld: {r.why}" for r in hits if r.verdict == "failed")
    if why:
        return Conclusion({}, missing=why)
    values = {
        name: {r.repeat: t for r in hits if r.architecture == name and (t := getattr(r, field)) is not None}
        for name in architectures(report)
    }
    return judge(values, "less")
