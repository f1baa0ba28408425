"""Runs a scenario on a running stack once, from seeding to the audited run."""

import asyncio
import tempfile
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.checker.audit import NOT_ANSWERED, Evidence
from wallet_lab.checker.audit import audit as audit_stack
from wallet_lab.checker.check import check_of
from wallet_lab.errors import LabError
from wallet_lab.report.model import Audit, Check, Delay, Run
from wallet_lab.stack.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.k6 import Load, record_of, run_k6
from wallet_lab.workload.measurement import Measurement, measure
from wallet_lab.workload.scenarios import Scenario
from wallet_lab.workload.verdict import judge, judge_delay, judge_steps, not_run

CURRENCY = "USD"
BALANCE_MICROS = 10**12
"""The opening balance of each wallet: more than any scenario moves."""
WARM_UP_S = 3.0
NOT_CARRIED_OUT = (LabError, *NOT_ANSWERED)
"""Errors that make a run not-run but do not end the lab: k6 failed, or a database is down."""


def run_scenario(
    stack: RunningStack,
    scenario: Scenario,
    *,
    repeat: int = 1,
    warm_up_s: float = WARM_UP_S,
    keep: Path | None = None,
) -> Run:
    """Seed, warm up, load, wait for quiescence, audit. The run has figures only if the audit passed.

    The audit includes the responses of the warm-up. Its times and costs do not count. `keep` gets the evidence.
    """
    started_at = datetime.now(UTC)
    try:
        return judge(*_carry_out(stack, scenario, warm_up_s, keep), repeat)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at)


def run_sweep(
    stack: RunningStack,
    scenario: Scenario,
    *,
    repeat: int = 1,
    warm_up_s: float = WARM_UP_S,
    keep: Path | None = None,
) -> list[Run]:
    """Run a sweep: one load, one audit, and a run per step, named `sweep-` and the rate."""
    started_at = datetime.now(UTC)
    try:
        return judge_steps(*_carry_out(stack, scenario, warm_up_s, keep), repeat)
    except NOT_CARRIED_OUT as error:
        return [not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at)]


def measure_delay(
    stack: RunningStack,
    scenario: Scenario,
    *,
    load: str = "idle",
    repeat: int = 1,
    warm_up_s: float = WARM_UP_S,
    keep: Path | None = None,
) -> tuple[Run, Delay | None]:
    """Run the consistency scenario; returns the run and, if the audit passed, the delay.

    `load` names the background load.
    """
    started_at = datetime.now(UTC)
    try:
        measured, audited = _carry_out(stack, scenario, warm_up_s, keep)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at), None
    return judge(measured, audited, repeat), judge_delay(measured, audited, repeat, load)


def _carry_out(
    stack: RunningStack, scenario: Scenario, warm_up_s: float, keep: Path | None
) -> tuple[Measurement, Audit | None]:
    evidence = prepare(stack, scenario)
    run = uuid.uuid4().hex[:12]
    loads = []
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as place:
        folder = Path(place)
        if warm_up_s:
            warm_up = run_k6(
                scenario.warm_up.lasting(warm_up_s), stack.base_url, run=f"{run}w", folder=folder
            )
            asyncio.run(wait_for_quiescence(stack))
            record_of(warm_up, evidence.database)
            loads.append(warm_up)
        measured = measure(stack, scenario, run=run, folder=folder, evidence=evidence.database)
    return measured, audit(stack, evidence, [*loads, measured.load], measured.settled_s, keep=keep)


def prepare(stack: RunningStack, scenario: Scenario) -> Evidence:
    """Open the scenario's wallets and wait until readers see them; returns evidence that begins now."""
    asyncio.run(seed(stack, scenario.accounts, BALANCE_MICROS))
    asyncio.run(wait_for_quiescence(stack))
    evidence = Evidence.empty()
    asyncio.run(evidence.begin(stack))
    return evidence


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int) -> None:
    """Open the wallets that do not exist yet, directly in the databases, if the architecture keeps a ledger."""
    if ledger := stack.adapter.ledger:
        await ledger.seed(stack, accounts, balance_micros, CURRENCY)


def audit(
    stack: RunningStack,
    evidence: Evidence,
    loads: Sequence[Load],
    settled_s: float | None,
    *,
    keep: Path | None = None,
) -> Audit | None:
    """Check the stack against the calls in the evidence; None without a ledger.

    `keep`: the folder that gets the evidence.
    """
    checks = asyncio.run(audit_stack(stack, evidence, settled_s, keep=keep))
    if not checks:
        return None
    checks = [*checks, answers(loads)]
    return Audit(passed=all(one.passed for one in checks), checks=checks, settled_s=settled_s)


def answers(loads: Sequence[Load]) -> Check:
    """Check what only clients can see: wrong reads, reads older than allowed, refusals without a reason."""
    wrong = [
        f"{load.run}: k6 reports that the check '{rule}' failed"
        for load in loads
        for rule in load.summary.crossed
    ]
    return check_of("every answer is what the scenario demands", [one for one in wrong if "'checks " in one])
