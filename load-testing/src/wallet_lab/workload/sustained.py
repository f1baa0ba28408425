"""A long load with a fixed arrival rate, in windows."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from wallet_lab.record.calls import Call, latency
from wallet_lab.report.model import Outcomes, Sustained, Window
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload import metrics
from wallet_lab.workload.marks import marking
from wallet_lab.workload.scenarios import SCENARIOS, Scenario
from wallet_lab.workload.series import Series
from wallet_lab.workload.verdict import first_violation, passed

WINDOW_S = 10.0


def sustained_load(rate_per_s: float, duration_s: float, clients: int) -> Scenario:
    """Return the load: transfers between random wallets."""
    return replace(
        SCENARIOS["open"],
        name="sustained",
        rate_per_s=round(rate_per_s),
        duration_s=duration_s,
        clients=clients,
    )


def run_sustained(stack: RunningStack, load: Scenario, evidence: Path | None = None) -> Sustained:
    """Run the load and audit it. `evidence` gets the evidence.

    Raises:
        one of NOT_CARRIED_OUT: the load or the audit was not possible.
    """
    with TemporaryDirectory(prefix="wallet-sustained-") as folder:
        series = Series(stack, load, Path(folder))
        with marking(stack) as marks:
            measured = series.measure(load)
        audit = series.audit(evidence)
    figures = metrics.of_run(measured) if passed(audit) else {}
    return Sustained(
        architecture=stack.architecture,
        verdict="passed" if passed(audit) else "failed",
        why=first_violation(audit),
        rate_per_s=load.rate_per_s or 0.0,
        duration_s=load.duration_s,
        windows=windows(measured.calls, load.duration_s) if figures else [],
        marks=marks.found(),
        outcomes=metrics.outcomes(measured),
        audit=audit,
        **{name: figures.get(name) for name in _FIGURES},
    )


_FIGURES = (
    *("dropped_iterations", "latency_ms", "server_cpu_ms_per_transfer", "disk_bytes_per_transfer"),
    "memory_mib_max",
)


def not_run(architecture: str, duration_s: float, *, why: str) -> Sustained:
    """Return a run that could not be carried out, with the reason."""
    return Sustained(
        architecture=architecture,
        verdict="not-run",
        why=why,
        rate_per_s=0.0,
        duration_s=duration_s,
        outcomes=Outcomes(),
    )


def windows(calls: Sequence[Call], duration_s: float, width_s: float = WINDOW_S) -> list[Window]:
    """Return the figures of each window, by the time at which calls were answered. Pure.

    A window without an answer has a throughput of 0. The last window can be shorter; its rate considers that.
    """
    begin_ms = min((call.started_ms for call in calls), default=0.0)
    answered: list[list[float]] = [[] for _ in range(ceil(duration_s / width_s))]
    for call in calls:
        place = int((call.started_ms + call.duration_ms - begin_ms) / 1000 / width_s)
        if call.kind == "success" and place < len(answered):
            answered[place].append(call.duration_ms)
    return [
        _window(n * width_s, min(width_s, duration_s - n * width_s), each) for n, each in enumerate(answered)
    ]


def _window(at_s: float, width_s: float, durations_ms: list[float]) -> Window:
    times = latency(durations_ms)
    return Window(
        at_s=at_s,
        acked_per_s=len(durations_ms) / width_s,
        p50_ms=times.p50 if times else None,
        p99_ms=times.p99 if times else None,
    )
