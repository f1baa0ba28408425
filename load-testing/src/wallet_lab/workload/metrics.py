"""The figures of a measurement. Only `verdict` may use them, because it gets the result of the audit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from wallet_lab.record.calls import Call, count, latency
from wallet_lab.report.model import Costs, Latency, Outcomes
from wallet_lab.report.model import Reads as ReportedReads
from wallet_lab.workload.k6 import Reads, SweepStep
from wallet_lab.workload.measurement import Measurement

_NO_READS = Reads()


def outcomes(measured: Measurement) -> Outcomes:
    """Count the outcomes of the transfers, or of the reads if the scenario has only reads."""
    if measured.scenario.counted == "reads":
        return _outcomes_of_reads(measured.load.summary.reads or _NO_READS)
    return count(measured.calls)


def _outcomes_of_reads(reads: Reads) -> Outcomes:
    return Outcomes(
        success=reads.success,
        refused={"reads": reads.refused} if reads.refused else {},
        unknown=reads.unknown,
        rejected=reads.rejected,
        error=reads.error,
    )


def of_run(measured: Measurement) -> dict[str, Any]:
    """Return all figures of a run, by their names in the report."""
    reads = _reads_of_both(measured)
    acked = outcomes(measured).success + (reads.outcomes.success if reads else 0)
    return {
        "acked_per_s": _acked_per_s(measured),
        "completed_per_s": _completed_per_s(measured),
        "latency_ms": _latency(measured),
        "reads": reads,
        "dropped_iterations": measured.load.summary.dropped_iterations,
        "server_cpu_ms_per_transfer": _costs(measured.usage.cpu_s, acked, 1000),
        "disk_bytes_per_transfer": _costs(measured.usage.disk_bytes, acked),
        "network_bytes_per_transfer": _network(measured.usage.loopback_bytes, acked),
        "broker_messages_per_transfer": _each(measured.broker_messages, acked),
        "memory_mib_max": dict(measured.memory_mib_max),
        "batch_size_mean": dict(measured.batch_size_mean),
        "steal_percent": measured.usage.steal_percent,
        "load_average": measured.load_average,
        "client_cpu_percent": _each(100 * measured.load.cpu_s, measured.usage.machine_s),
        "other_cpu_percent": _other_cpu_percent(measured),
    }


def of_step(measured: Measurement) -> dict[str, Any]:
    """Return the figures of one step of a sweep. Resource usage is known only for the whole sweep."""
    begun = len(measured.calls)
    offered = round((measured.scenario.rate_per_s or 0.0) * measured.scenario.duration_s)
    return {
        "acked_per_s": _acked_per_s(measured),
        "latency_ms": _latency(measured),
        "dropped_iterations": max(0, offered - begun),
        "steal_percent": measured.usage.steal_percent,
        "load_average": measured.load_average,
    }


def steps(measured: Measurement) -> list[Measurement]:
    """Split a sweep: each step becomes a measurement of its own."""
    return [_step(measured, step) for step in measured.load.summary.steps]


def _step(measured: Measurement, step: SweepStep) -> Measurement:
    calls = [call for call in measured.calls if call.part == step.name]
    return replace(
        measured,
        scenario=measured.scenario.at_rate(step.rate, step.name),
        calls=calls,
    )


def _reads_of_both(measured: Measurement) -> ReportedReads | None:
    """Return the figures of the reads if the scenario counts transfers too, because their sum would mean nothing."""
    reads = measured.load.summary.reads
    if measured.scenario.counted != "both" or reads is None:
        return None
    return ReportedReads(
        acked_per_s=_each(reads.success, measured.scenario.duration_s),
        latency_ms=reads.latency_ms,
        outcomes=_outcomes_of_reads(reads),
    )


def _acked_per_s(measured: Measurement) -> float | None:
    if measured.scenario.counted == "reads":
        acked = outcomes(measured).success
    else:
        acked = _in_time(measured.calls, measured.scenario.duration_s)
    return acked / measured.scenario.duration_s if acked else None


def _in_time(calls: Sequence[Call], duration_s: float) -> int:
    """Count the acknowledgements before the load's end; clients wait longer for the last ones."""
    end_ms = min((call.started_ms for call in calls), default=0) + 1000 * duration_s
    return sum(call.started_ms + call.duration_ms <= end_ms for call in _acked(calls))


def _acked(calls: Iterable[Call]) -> Iterable[Call]:
    return (call for call in calls if call.kind == "success")


def _completed_per_s(measured: Measurement) -> float | None:
    calls = measured.calls
    ended = sum(call.kind in {"success", "refused"} for call in calls)
    if not ended or measured.settled_s is None:
        return None
    begin_ms = min(call.started_ms for call in calls)
    end_ms = max(call.started_ms + call.duration_ms for call in calls)
    return ended / ((end_ms - begin_ms) / 1000 + measured.settled_s)


def _latency(measured: Measurement) -> Latency | None:
    if measured.scenario.counted == "reads":
        return (measured.load.summary.reads or _NO_READS).latency_ms
    return latency([call.duration_ms for call in _acked(measured.calls)])


def _costs(used: Mapping[str, float] | None, acked: int, unit: float = 1.0) -> Costs | None:
    if used is None or not acked:
        return None
    by_component = {kind: unit * amount / acked for kind, amount in used.items()}
    return Costs(total=sum(by_component.values()), by_component=by_component)


def _other_cpu_percent(measured: Measurement) -> float | None:
    usage = measured.usage
    if usage.cpu_s is None:
        return None
    other_s = usage.busy_s - sum(usage.cpu_s.values()) - measured.load.cpu_s
    return _each(100 * max(0.0, other_s), usage.machine_s)


def _network(amount: float | None, acked: int) -> Costs | None:
    """Return the loopback bytes per call as a total. The kernel does not say which process sent them."""
    return None if amount is None else _costs({"loopback": amount}, acked)


def _each(amount: float | None, number: float) -> float | None:
    return amount / number if amount is not None and number else None
