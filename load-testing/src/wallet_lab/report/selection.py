"""Finding one's way in a report: which architectures and scenarios it has, and what each of them came to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from wallet_lab.report.model import Costs, Recovery, Report, Run
from wallet_lab.report.statistics import Estimate, estimate

CEILING = "noop"
"""The target that does no work: shown beside the architectures, never compared with them."""
SWEEP = "sweep"
_STEP = "sweep-"
_PROBE = "consistency"


Better = Literal["more", "less"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is compared."""

    name: str
    unit: str
    better: Better
    of: Callable[[Run], float | None]


def _throughput(run: Run) -> float | None:
    """What a closed loop reached; where the rate was set from outside it says nothing about the architecture."""
    return run.acked_per_s if run.offered_per_s is None or is_step(run) else None


def _total(costs: Costs | None) -> float | None:
    """None also for 0: reads write nothing, and of nothing there is no ratio."""
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
    """Those that are compared, in the order of their first run."""
    seen = [run.architecture for run in report.runs]
    seen += [delay.architecture for delay in report.consistency_delay_ms]
    seen += [recovery.architecture for recovery in report.recovery]
    return [name for name in dict.fromkeys(seen) if name != CEILING]


def audited(report: Report) -> list[Run | Recovery]:
    """Everything whose books were looked at."""
    everything: list[Run | Recovery] = [*report.runs, *report.recovery]
    return [each for each in everything if each.audit]


def scenarios(report: Report) -> list[str]:
    """The loads in the order of their first run; a sweep is one, whatever rates it has.

    Without those that look for the consistency delay: one client that polls is no load.
    """
    loads = [run for run in report.runs if not run.scenario.startswith(_PROBE)]
    return list(dict.fromkeys(SWEEP if is_step(run) else run.scenario for run in loads))


def runs_of(report: Report, architecture: str, scenario: str) -> list[Run]:
    """All repeats of a scenario on an architecture, failed ones too; of a sweep also all rates."""
    return [
        run
        for run in report.runs
        if run.architecture == architecture
        and (run.scenario == scenario or (scenario == SWEEP and is_step(run)))
    ]


def by_repeat(runs: Iterable[Run], measure: Measure) -> dict[int, float]:
    """What was measured in each repeat; of a sweep's throughput the best of its rates."""
    found: dict[int, float] = {}
    for run in runs:
        value = measure.of(run)
        if value is None or (is_step(run) and measure is not THROUGHPUT):
            continue
        found[run.repeat] = max(value, found.get(run.repeat, value))
    return found


def settled(report: Report, architecture: str, scenario: str, measure: Measure) -> Estimate | None:
    """The median over repeats; None when there is none, or when any repeat failed its audit."""
    runs = runs_of(report, architecture, scenario)
    return None if missing(runs) else estimate(list(by_repeat(runs, measure).values()))


def missing(runs: Iterable[Run]) -> str:
    """Why figures must not be shown: an audit that failed (also if only one repeat did), or no run. Else empty."""
    reasons = {run.verdict: run.why for run in runs if run.verdict != "passed"}
    if "failed" in reasons:
        return f"withheld: {reasons['failed']}"
    if "not-run" in reasons:
        return f"not run: {reasons['not-run']}"
    return ""
