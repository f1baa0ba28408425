"""Runs a scenario on a running stack once, from seeding to the audited run."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.report.model import Audit, Delay, Route, Run
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.hops import hop_medians_ms, read_hops
from wallet_lab.workload.measurement import Measurement
from wallet_lab.workload.scenarios import Scenario
from wallet_lab.workload.series import NOT_CARRIED_OUT, Series
from wallet_lab.workload.verdict import judge, judge_delay, judge_steps, not_run

WARM_UP_S = 3.0


def run_scenario(
    stack: RunningStack,
    scenario: Scenario,
    *,
    repeat: int = 1,
    warm_up_s: float = WARM_UP_S,
    route: Route = "direct",
    keep: Path | None = None,
    profile: Path | None = None,
) -> Run:
    """Seed, warm up, load, wait for quiescence, audit. The run has figures only if the audit passed.

    The audit includes the responses of the warm-up. Its times and costs do not count. `keep` gets the evidence,
    and `profile` the samples of Python functions.
    """
    started_at = datetime.now(UTC)
    try:
        return judge(*_carry_out(stack, scenario, warm_up_s, route, keep, profile), repeat)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at)


def run_sweep(
    stack: RunningStack,
    scenario: Scenario,
    *,
    repeat: int = 1,
    warm_up_s: float = WARM_UP_S,
    route: Route = "direct",
    keep: Path | None = None,
    profile: Path | None = None,
) -> list[Run]:
    """Run a sweep: one load, one audit, and a run per step, named `sweep-` and the rate."""
    started_at = datetime.now(UTC)
    try:
        return judge_steps(*_carry_out(stack, scenario, warm_up_s, route, keep, profile), repeat)
    except NOT_CARRIED_OUT as error:
        return [not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at)]


def measure_delay(
    stack: RunningStack,
    scenario: Scenario,
    *,
    load: str = "idle",
    repeat: int = 1,
    warm_up_s: float = WARM_UP_S,
    route: Route = "direct",
    keep: Path | None = None,
    profile: Path | None = None,
) -> tuple[Run, Delay | None]:
    """Run the consistency scenario; returns the run and, if the audit passed, the delay.

    `load` names the background load.
    """
    started_at = datetime.now(UTC)
    before = read_hops(stack)
    try:
        measured, audited = _carry_out(stack, scenario, warm_up_s, route, keep, profile)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at), None
    hops_ms = hop_medians_ms((hop.name for hop in stack.adapter.hops), before, read_hops(stack))
    return judge(measured, audited, repeat), judge_delay(measured, audited, repeat, load, hops_ms)


def _carry_out(
    stack: RunningStack,
    scenario: Scenario,
    warm_up_s: float,
    route: Route,
    keep: Path | None,
    profile: Path | None,
) -> tuple[Measurement, Audit | None]:
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
        series = Series(stack, scenario, Path(folder))
        if warm_up_s:
            series.warm_up(scenario, warm_up_s)
        measured = series.measure(scenario, route, profile)
        return measured, series.audit(keep)
