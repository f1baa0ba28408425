"""From a measurement and its audit to the report's run. The figures of a run that failed its audit end here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wallet_lab.bench.measuring import Measurement
from wallet_lab.bench.scenarios import Scenario
from wallet_lab.calls import Call, count, latency
from wallet_lab.report.model import Audit, Costs, Outcomes, Run


def judge(measured: Measurement, audit: Audit | None, repeat: int) -> Run:
    """The run as it may be reported: with its figures if the audit passed, or if there are no books to audit (noop)."""
    passed = audit is None or audit.passed
    return Run(
        architecture=measured.architecture,
        scenario=measured.scenario.name,
        repeat=repeat,
        verdict="passed" if passed else "failed",
        why="" if audit is None or passed else _first_violation(audit),
        started_at=measured.load.started_at,
        duration_s=measured.scenario.duration_s,
        clients=measured.scenario.clients,
        offered_per_s=measured.scenario.rate_per_s,
        outcomes=count(measured.load.calls),
        audit=audit,
        **(_figures(measured) if passed else {}),
    )


def not_run(architecture: str, scenario: Scenario, repeat: int, *, why: str, started_at: datetime) -> Run:
    """A run that could not be carried out, and why."""
    return Run(
        architecture=architecture,
        scenario=scenario.name,
        repeat=repeat,
        verdict="not-run",
        why=why,
        started_at=started_at,
        duration_s=0.0,
        clients=scenario.clients,
        offered_per_s=scenario.rate_per_s,
        outcomes=Outcomes(),
    )


def _first_violation(audit: Audit) -> str:
    failed = [check for check in audit.checks if not check.passed]
    more = f" (and {len(failed) - 1} more checks failed)" if len(failed) > 1 else ""
    return f"{failed[0].name}: {failed[0].violations[0]}{more}"


def _figures(measured: Measurement) -> dict[str, Any]:
    calls = measured.load.calls
    acked = [call for call in calls if call.outcome == "success"]
    return {
        "acked_per_s": _acked_in_time(calls, measured.scenario.duration_s),
        "completed_per_s": _completed_per_s(measured),
        "latency_ms": latency([call.duration_ms for call in acked]),
        "dropped_iterations": measured.load.summary.dropped_iterations,
        "server_cpu_ms_per_transfer": _costs(measured.usage.cpu_s, len(acked), 1000),
        "disk_bytes_per_transfer": _costs(measured.usage.disk_bytes, len(acked)),
        "broker_messages_per_transfer": _each(measured.broker_messages, len(acked)),
        "memory_mib_max": dict(measured.memory_mib_max),
        "batch_size_mean": dict(measured.batch_size_mean),
        "steal_percent": measured.usage.steal_percent,
        "load_average": measured.load_average,
        "client_cpu_percent": _each(100 * measured.load.cpu_s, measured.usage.machine_s),
    }


def _acked_in_time(calls: list[Call], duration_s: float) -> float | None:
    """Acknowledgements a second, of those that came before the load's end: clients also wait for the last answers."""
    if not calls:
        return None
    end_ms = min(call.started_ms for call in calls) + 1000 * duration_s
    in_time = [c for c in calls if c.outcome == "success" and c.started_ms + c.duration_ms <= end_ms]
    return len(in_time) / duration_s


def _completed_per_s(measured: Measurement) -> float | None:
    calls = measured.load.calls
    ended = sum(call.kind in {"success", "refused"} for call in calls)
    if not ended or measured.settled_s is None:
        return None
    begin_ms = min(call.started_ms for call in calls)
    end_ms = max(call.started_ms + call.duration_ms for call in calls)
    return ended / ((end_ms - begin_ms) / 1000 + measured.settled_s)


def _costs(used: Mapping[str, float] | None, acked: int, unit: float = 1.0) -> Costs | None:
    if used is None or not acked:
        return None
    by_component = {kind: unit * amount / acked for kind, amount in used.items()}
    return Costs(total=sum(by_component.values()), by_component=by_component)


def _each(amount: float | None, number: float) -> float | None:
    return amount / number if amount is not None and number else None
