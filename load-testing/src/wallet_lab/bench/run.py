"""The one use case: a scenario on a running stack, once, from seeding to the judged run."""

import asyncio
import tempfile
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.audit.books import audit_stack
from wallet_lab.audit.questions import check
from wallet_lab.audit.sessions import NOT_ANSWERED
from wallet_lab.audit.told import Told
from wallet_lab.bench.judging import judge, judge_delay, judge_steps, not_run
from wallet_lab.bench.k6 import Load, run_k6
from wallet_lab.bench.measuring import Measurement, measure
from wallet_lab.bench.scenarios import Scenario
from wallet_lab.bench.seeding import seed
from wallet_lab.errors import LabError
from wallet_lab.report.model import Audit, Check, Delay, Run
from wallet_lab.running.settling import settle
from wallet_lab.running.stack import RunningStack

BALANCE_MICROS = 10**12
"""What each wallet is opened with: more than any scenario moves."""
WARM_UP_S = 3.0
NOT_CARRIED_OUT = (LabError, *NOT_ANSWERED)
"""What is told as a run's reason, and no reason for the lab to end: k6 failed, or a database is gone."""


def run_scenario(
    stack: RunningStack, scenario: Scenario, *, repeat: int = 1, warm_up_s: float = WARM_UP_S
) -> Run:
    """Seed, warm up, load, wait until all has come to rest, audit; the run has figures only if the audit passed.

    What the warm-up's clients were told is audited as well; its times and costs count nowhere.
    """
    started_at = datetime.now(UTC)
    try:
        return judge(*_carry_out(stack, scenario, warm_up_s), repeat)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at)


def run_sweep(
    stack: RunningStack, scenario: Scenario, *, repeat: int = 1, warm_up_s: float = WARM_UP_S
) -> list[Run]:
    """The same of a sweep: one load and one audit, and a run for each of its steps, named sweep- and the rate."""
    started_at = datetime.now(UTC)
    try:
        return judge_steps(*_carry_out(stack, scenario, warm_up_s), repeat)
    except NOT_CARRIED_OUT as error:
        return [not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at)]


def measure_delay(
    stack: RunningStack,
    scenario: Scenario,
    *,
    load: str = "idle",
    repeat: int = 1,
    warm_up_s: float = WARM_UP_S,
) -> tuple[Run, Delay | None]:
    """The same of consistency, and the delay with it, if it may be told; `load` names what goes on beside."""
    started_at = datetime.now(UTC)
    try:
        measured, audited = _carry_out(stack, scenario, warm_up_s)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at), None
    return judge(measured, audited, repeat), judge_delay(measured, audited, repeat, load)


def _carry_out(stack: RunningStack, scenario: Scenario, warm_up_s: float) -> tuple[Measurement, Audit | None]:
    prepare(stack, scenario)
    run = uuid.uuid4().hex[:12]
    loads = []
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as place:
        folder = Path(place)
        if warm_up_s:
            warm_up = scenario.warm_up.lasting(warm_up_s)
            loads.append(run_k6(warm_up, stack.base_url, run=f"{run}w", folder=folder))
            asyncio.run(settle(stack))
        measured = measure(stack, scenario, run=run, folder=folder)
    return measured, audit(stack, [*loads, measured.load], measured.settled_s)


def prepare(stack: RunningStack, scenario: Scenario) -> None:
    """Open the scenario's wallets, and wait until readers see them."""
    asyncio.run(seed(stack, scenario.accounts, BALANCE_MICROS))
    asyncio.run(settle(stack))


def audit(
    stack: RunningStack, loads: Sequence[Load], settled_s: float | None, *, broken_off: bool = False
) -> Audit | None:
    """The books of a stack after these loads, against what their clients were told; None for noop: it has no books.

    `broken_off`: connections were broken meanwhile (see `Told`).
    """
    told = [Told(load.run, load.calls, load.unlogged, broken_off) for load in loads]
    checks = asyncio.run(audit_stack(stack, told))
    if not checks:
        return None
    checks = [_came_to_rest(settled_s), *checks, answers(loads)]
    return Audit(passed=all(one.passed for one in checks), checks=checks, settled_s=settled_s)


def _came_to_rest(settled_s: float | None) -> Check:
    return check("it came to rest", [] if settled_s is not None else ["something was still under way"])


def answers(loads: Sequence[Load]) -> Check:
    """What only the clients could see: a read that was wrong, or older than it may be; a refusal for no reason."""
    wrong = [f"{load.run}: k6 found '{rule}' broken" for load in loads for rule in load.summary.crossed]
    return check("every answer is what the scenario demands", [one for one in wrong if "'checks " in one])
