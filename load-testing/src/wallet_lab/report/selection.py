"""Finds architectures, scenarios and runs in a report."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from wallet_lab.report.model import Capacity, FaultRun, Recovery, Report, Run, Sustained, Verdict

CEILING = "noop"
"""The target that does no work: shown with the architectures, never compared with them."""
_STEP = "sweep-"
_PROBE = "consistency"

Audited = Run | Recovery | Capacity | Sustained | FaultRun


class Attempt(Protocol):
    """Anything that was run on an architecture and audited."""

    @property
    def architecture(self) -> str: ...  # noqa: D102
    @property
    def verdict(self) -> Verdict: ...  # noqa: D102
    @property
    def why(self) -> str: ...  # noqa: D102


T = TypeVar("T", bound=Attempt)


def is_step(run: Run) -> bool:
    """Whether the run is one rate of a sweep."""
    return run.scenario.startswith(_STEP)


def is_load(run: Run) -> bool:
    """Whether the run is a load of its own: no step of a sweep, and no single polling client."""
    return not is_step(run) and not run.scenario.startswith(_PROBE)


def attempts(report: Report) -> list[Audited]:
    """Return everything that was run, in the order of the report's members."""
    return [*report.runs, *report.capacities, *report.sustained, *report.faults, *report.recovery]


def architectures(report: Report) -> list[str]:
    """Return the compared architectures, in the order of their first run."""
    seen = [each.architecture for each in (*attempts(report), *report.consistency_delay_ms, *report.sizes)]
    return [name for name in dict.fromkeys(seen) if name != CEILING]


def audited(report: Report) -> list[Audited]:
    """Return everything that has an audit."""
    return [each for each in attempts(report) if each.audit]


def scenarios(report: Report) -> list[str]:
    """Return the loads in the order of their first run."""
    return list(dict.fromkeys(run.scenario for run in report.runs if is_load(run)))


def by_architecture(each: Iterable[T]) -> dict[str, list[T]]:
    """Group by architecture, in the order of the first occurrence."""
    found: dict[str, list[T]] = {}
    for one in each:
        found.setdefault(one.architecture, []).append(one)
    return found


def missing(attempts: Sequence[Attempt]) -> str:
    """Return the reason to withhold figures: one failed audit, or no attempt that ran. Empty if there is none."""
    failed = [each.why for each in attempts if each.verdict == "failed"]
    if failed:
        return f"withheld: {failed[-1]}"
    if all(each.verdict == "not-run" for each in attempts):
        return f"not run: {attempts[-1].why}" if attempts else "not run"
    return ""
