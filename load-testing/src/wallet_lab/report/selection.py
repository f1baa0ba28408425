"""Finds architectures, scenarios and figures in a report."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from wallet_lab.report.model import Costs, Recovery, Report, Run
from wallet_lab.report.statistics import Estimate, estimate

CEILING = "noop"
"""The target that does no work: shown with the architectures, never compared with them."""
SWEEP = "sweep"
_STEP = "sweep-"
_PROBE = "consistency"


Better = Literal["more", "less"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A compared figure."""

    name: str
    unit: str
    better: Better
    of: Callable[[Run], float | None]


def _throughput(run: Run) -> float | None:
    """Return the throughput of a closed loop; a fixed arrival rate says nothing about the architecture."""
    return run.acked_per_s if run.offered_per_s is None or is_step(run) else None


def _total(costs: Costs | None) -> float | None:
    """Return the total; None for 0 too, because reads write nothing and 0 has no ratio."""
    return costs.total or None if costs else None


THROUGHPUT = Measure("Throughput", "acknowledged per second", "more", _throughput)
LATENCY = Measure("Latency, 95 %", "ms", "less", lambda run: run.latency_ms.p95 if run.latency_ms else None)
CPU = Measure(
    "Server CPU", "ms per acknowledged call", "less", lambda run: _total(run.server_cpu_ms_per_transfer)
)
DISK = Measure(
    "Written to disk", "bytes per acknowledged call", "less", lambda run: _total(run.disk_bytes_per_transfer)
)
MEASURES = (THROUGHPUT, LATENCY, CPU, DISK)


def is_step(run: Run) -> bool:
    """Whether the run is one rate of a sweep."""
    return run.scenario.startswith(_STEP)


def architectures(report: Report) -> list[str]:
    """Return the compared architectures, in the order of their first run."""
    seen = [run.architecture for run in report.runs]
    seen += [delay.architecture for delay in report.consistency_delay_ms]
    seen += [recovery.architecture for recovery in report.recovery]
    return [name for name in dict.fromkeys(seen) if name != CEILING]


def audited(report: Report) -> list[Run | Recovery]:
    """Return all runs and recoveries that have an audit."""
    everything: list[Run | Recovery] = [*report.runs, *report.recovery]
    return [each for each in everything if each.audit]


def scenarios(report: Report) -> list[str]:
    """Return the loads in the order of their first run; a sweep counts once, whatever its rates are.

    The consistency scenarios are left out, because one polling client is no load.
    """
    loads = [run for run in report.runs if not run.scenario.startswith(_PROBE)]
    return list(dict.fromkeys(SWEEP if is_step(run) else run.scenario for run in loads))


def runs_of(report: Report, architecture: str, scenario: str) -> list[Run]:
    """Return all repeats of a scenario on an architecture, failed ones and all rates of a sweep included."""
    return [
        run
        for run in report.runs
        if run.architecture == architecture
        and (run.scenario == scenario or (scenario == SWEEP and is_step(run)))
    ]


def by_repeat(runs: Iterable[Run], measure: Measure) -> dict[int, float]:
    """Return the figure of each repeat; for the throughput of a sweep, the best of its rates."""
    found: dict[int, float] = {}
    for run in runs:
        value = measure.of(run)
        if value is None or (is_step(run) and measure is not THROUGHPUT):
            continue
        found[run.repeat] = max(value, found.get(run.repeat, value))
    return found


def settled(report: Report, architecture: str, scenario: str, measure: Measure) -> Estimate | None:
    """Return the median over repeats; None if there is none, or if any repeat failed its audit."""
    runs = runs_of(report, architecture, scenario)
    return None if missing(runs) else estimate(list(by_repeat(runs, measure).values()))


def missing(runs: Iterable[Run]) -> str:
    """Return the reason to withhold figures: one failed audit is enough, or no run. Empty if there is no reason."""
    reasons = {run.verdict: run.why for run in runs if run.verdict != "passed"}
    if "failed" in reasons:
        return f"withheld: {reasons['failed']}"
    if "not-run" in reasons:
        return f"not run: {reasons['not-run']}"
    return ""
