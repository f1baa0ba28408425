"""The results of the target table: a verdict on each row of each architecture. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from wallet_lab.architectures.adapter import Architecture
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.targets.figures import Figure
from wallet_lab.comparison.targets.rows import Bound, Row, earlier
from wallet_lab.report.model import Capacity, Delay, Machine, Run
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number

Verdict = Literal["pass", "short", "not measured"]
NOT_POSSIBLE = "no part of the lab fills a log with so many rows"
HEADINGS = ("measure", "architecture", "target", "measured", "result")


class Result(Struct, kw_only=True, frozen=True):
    """One row of the table for one architecture."""

    key: str
    measure: str
    architecture: str
    bound: Bound
    target: float
    measured: float | None = None
    """None if it was not measured, or an audit failed."""
    interval: tuple[float, float] | None = None
    """Covers the true figure in 95 % of cases; None for a single figure."""
    count: int = 0
    """Number of blocks or repeats."""
    verdict: Verdict
    why: str = ""
    """The reason why it was not measured."""
    is_asked: bool = True
    """Whether the options of the command ask for it."""

    @property
    def is_within_chance(self) -> bool:
        """Whether the interval contains the target, so that another run can have the other verdict."""
        return self.interval is not None and self.interval[0] <= self.target <= self.interval[1]


class TargetReport(Struct, kw_only=True):
    """The content of `--out`. The other members are as in report.json."""

    command: str
    started_at: datetime
    finished_at: datetime
    complete: bool
    machine: Machine
    versions: dict[str, str]
    results: list[Result]
    runs: list[Run]
    consistency_delay_ms: list[Delay]
    capacities: list[Capacity]
    repeated_blocks: dict[str, int]
    unsteady_blocks: dict[str, int]
    idle_cpu_percent: dict[str, float]
    not_run: list[str]


def results(
    rows: Sequence[Row], chosen: Sequence[Architecture], findings: Findings, options: frozenset[str]
) -> list[Result]:
    """Return the verdict on each row with a target. `options`: those of the command that a row can need."""
    return [
        _result(row, one, findings, options)
        for row in rows
        for one in chosen
        if row.key in one.performance_targets
    ]


def _result(row: Row, one: Architecture, findings: Findings, options: frozenset[str]) -> Result:
    target = one.performance_targets[row.key]
    is_asked = row.source is not None and (not row.needs or row.needs in options)
    figure = row.source.figure(findings, one.name) if row.source and is_asked else None
    return Result(
        key=row.key,
        measure=row.text,
        architecture=one.name,
        bound=row.bound,
        target=target,
        measured=figure.value if figure else None,
        interval=figure.interval if figure else None,
        count=figure.count if figure else 0,
        verdict=_verdict(row.bound, figure, target),
        why="" if figure else _why(row, one.name, findings, is_asked=is_asked),
        is_asked=is_asked,
    )


def _verdict(bound: Bound, figure: Figure | None, target: float) -> Verdict:
    if figure is None:
        return "not measured"
    is_met = figure.value <= target if bound == "≤" else figure.value >= target
    return "pass" if is_met else "short"


def _why(row: Row, architecture: str, findings: Findings, *, is_asked: bool) -> str:
    """Return the reason why a figure is missing."""
    if row.source is None:
        return NOT_POSSIBLE
    if not is_asked:
        return f"needs {row.needs}"
    runs = [run for run in findings.runs if run.scenario in row.source.scenarios]
    parts: list[Run | Capacity] = [*runs, *(findings.capacities if not row.source.scenarios else [])]
    mine = [
        each.why for each in parts if each.why and each.architecture in {architecture, earlier(architecture)}
    ]
    others = [f"{each.architecture}: {each.why}" for each in parts if each.why]
    return next(iter([*mine, *others, *findings.not_run]), "its part did not run")


def exit_code(found: Sequence[Result], findings: Findings) -> int:
    """Return 0 if every row that the options ask for was measured, all audits passed and all stacks stopped; else 1.

    A figure that misses its target does not change the exit code, because the machine decides about it too.
    """
    audited: list[Run | Capacity] = [*findings.runs, *findings.capacities]
    has_all = all(each.verdict != "not measured" for each in found if each.is_asked)
    is_sound = all(each.verdict != "failed" for each in audited) and not findings.not_run
    return 0 if has_all and is_sound and any(each.is_asked for each in found) else 1


def table(found: Sequence[Result]) -> Table:
    """Return the table as text."""
    return Table(HEADINGS, [_cells(each) for each in found])


def _cells(each: Result) -> tuple[str, ...]:
    target = f"{each.bound} {number(each.target)}"
    return each.measure, each.architecture, target, _measured(each), _in_words(each)


def _measured(each: Result) -> str:
    if each.interval is None:
        return number(each.measured)
    low, high = map(number, each.interval)
    return f"{number(each.measured)} ({low}–{high})"


def _in_words(each: Result) -> str:
    if each.verdict == "not measured":
        return f"not measured: {each.why}"
    return f"{each.verdict}, within chance" if each.is_within_chance else each.verdict


def conditions(findings: Findings) -> list[str]:
    """Describe the machine's steadiness and the audits, one sentence each."""
    audited: list[Run | Capacity] = [*findings.runs, *findings.capacities]
    audits = {id(each.audit): each.audit for each in audited if each.audit}
    failed = sum(not audit.passed for audit in audits.values())
    steal = [run.steal_percent for run in findings.runs if run.steal_percent is not None]
    again, moved = sum(findings.repeated_blocks.values()), sum(findings.unsteady_blocks.values())
    return [
        f"{len(audits) - failed} of {len(audits)} audits passed.",
        *([f"CPU steal was {number(min(steal))} to {number(max(steal))} %."] if steal else []),
        f"{again} blocks were measured again, because the control moved by more than 10 %; in {moved} it still did.",
    ]
