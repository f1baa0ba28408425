"""Measures one arrival rate for the search for the capacity."""

from collections.abc import Sequence
from dataclasses import replace

from wallet_lab.record.calls import Call, latency
from wallet_lab.report.model import Probe
from wallet_lab.workload.measurement import Measurement
from wallet_lab.workload.scenarios import SCENARIOS, Scenario


def probe_load(rate_per_s: float, duration_s: float, clients: int) -> Scenario:
    """Return the load of a probe."""
    return replace(
        SCENARIOS["open"], rate_per_s=round(rate_per_s), duration_s=duration_s, clients=clients, name="probe"
    )


def probe_of(measured: Measurement) -> Probe:
    """Return the result of a probe."""
    return probe(
        measured.scenario.rate_per_s or 0.0, measured.calls, measured.load.summary.dropped_iterations
    )


def probe(rate_per_s: float, calls: Sequence[Call], dropped: int) -> Probe:
    """Return the result of a probe. An arrival without a free client counts as failed, as a call without success."""
    acked = [call.duration_ms for call in calls if call.kind == "success"]
    arrived = len(calls) + dropped
    times = latency(acked)
    return Probe(
        rate_per_s=rate_per_s,
        p50_ms=times.p50 if times else None,
        p99_ms=times.p99 if times else None,
        failed_share=1 - len(acked) / arrived if arrived else 1.0,
    )
