"""Turns a measurement and its audit into the report's run. A failed audit removes the figures."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from wallet_lab.report.model import Audit, Delay, Outcomes, Route, Run
from wallet_lab.workload import metrics
from wallet_lab.workload.measurement import Measurement
from wallet_lab.workload.scenarios import Scenario


def judge(
    measured: Measurement, audit: Audit | None, repeat: int, *, block: int = 0, again: bool = False
) -> Run:
    """Return the run for the report."""
    return _judge(measured, audit, repeat, metrics.of_run, block=block, again=again)


def judge_steps(measured: Measurement, audit: Audit | None, repeat: int) -> list[Run]:
    """Return the runs of a sweep's steps for the report. All share the audit of the whole sweep."""
    return [_judge(step, audit, repeat, metrics.of_step) for step in metrics.steps(measured)]


def judge_delay(
    measured: Measurement,
    audit: Audit | None,
    repeat: int,
    load: str,
    hops_ms: dict[str, float] | None = None,
) -> Delay | None:
    """Return how long writes took to become visible; None if the audit failed or there were no samples."""
    seen = measured.load.summary.delay_ms
    if seen is None or not passed(audit):
        return None
    return Delay(
        architecture=measured.architecture,
        load=load,
        repeat=repeat,
        samples=seen.samples,
        p50=seen.p50,
        p95=seen.p95,
        p99=seen.p99,
        max=seen.max,
        distribution=seen.distribution,
        hops_p50_ms=hops_ms or {},
        plain_read_ms=measured.load.summary.plain_read_ms,
        fresh_read_ms=measured.load.summary.fresh_read_ms,
    )


def _judge(
    measured: Measurement,
    audit: Audit | None,
    repeat: int,
    performance: Callable[[Measurement], dict[str, Any]],
    *,
    block: int = 0,
    again: bool = False,
) -> Run:
    """Make a run with figures only if the audit passed or there is no ledger."""
    return Run(
        architecture=measured.architecture,
        block=block,
        again=again,
        route=measured.route,
        scenario=measured.scenario.name,
        paced=measured.scenario.paced,
        repeat=repeat,
        verdict="passed" if passed(audit) else "failed",
        why=first_violation(audit),
        started_at=measured.load.started_at,
        duration_s=measured.scenario.duration_s,
        clients=measured.scenario.clients,
        offered_per_s=measured.scenario.rate_per_s,
        outcomes=metrics.outcomes(measured),
        audit=audit,
        **(performance(measured) if passed(audit) else {}),
    )


def not_run(
    architecture: str,
    scenario: Scenario,
    repeat: int,
    *,
    why: str,
    started_at: datetime,
    block: int = 0,
    again: bool = False,
    route: Route = "direct",
) -> Run:
    """Make a run that could not be carried out, with the reason."""
    return Run(
        architecture=architecture,
        block=block,
        again=again,
        route=route,
        scenario=scenario.name,
        paced=scenario.paced,
        repeat=repeat,
        verdict="not-run",
        why=why,
        started_at=started_at,
        duration_s=0.0,
        clients=scenario.clients,
        offered_per_s=scenario.rate_per_s,
        outcomes=Outcomes(),
    )


def passed(audit: Audit | None) -> bool:
    """Whether the figures may be reported: the audit passed, or there is no ledger."""
    return audit is None or audit.passed


def first_violation(audit: Audit | None) -> str:
    """Describe the first violation of a failed audit; empty if the audit passed."""
    failed = [check for check in audit.checks if not check.passed] if audit else []
    if not failed:
        return ""
    more = f" (and {len(failed) - 1} more checks failed)" if len(failed) > 1 else ""
    return f"{failed[0].name}: {failed[0].violations[0]}{more}"
