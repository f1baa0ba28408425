"""The one use case: a scenario on a running stack, once, from seeding to the judged run."""

import asyncio
import tempfile
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.audit.books import audit_stack
from wallet_lab.audit.questions import check
from wallet_lab.audit.told import Told
from wallet_lab.bench.judging import judge, not_run
from wallet_lab.bench.k6 import Load, run_k6
from wallet_lab.bench.measuring import measure
from wallet_lab.bench.scenarios import Scenario
from wallet_lab.bench.seeding import seed
from wallet_lab.bench.settling import settle
from wallet_lab.errors import LabError
from wallet_lab.report.model import Audit, Run
from wallet_lab.stacks import RunningStack

BALANCE_MICROS = 10**12
"""What each wallet is opened with: more than any scenario moves."""
WARM_UP_S = 3.0


def run_scenario(
    stack: RunningStack, scenario: Scenario, *, repeat: int = 1, warm_up_s: float = WARM_UP_S
) -> Run:
    """Seed, warm up, load, wait until all has come to rest, audit; the run has figures only if the audit passed.

    What the warm-up's clients were told is audited as well; its times and costs count nowhere.
    """
    started_at = datetime.now(UTC)
    try:
        with tempfile.TemporaryDirectory(prefix="wallet-bench-") as folder:
            return _run(stack, scenario, repeat, warm_up_s, Path(folder))
    except LabError as error:
        return not_run(stack.architecture, scenario, repeat, why=str(error), started_at=started_at)


def _run(stack: RunningStack, scenario: Scenario, repeat: int, warm_up_s: float, folder: Path) -> Run:
    prepare(stack, scenario)
    run = uuid.uuid4().hex[:12]
    loads = []
    if warm_up_s:
        loads.append(run_k6(scenario.lasting(warm_up_s), stack.base_url, run=f"{run}w", folder=folder))
        asyncio.run(settle(stack))
    measured = measure(stack, scenario, run=run, folder=folder)
    return judge(measured, audit(stack, [*loads, measured.load], measured.settled_s), repeat)


def prepare(stack: RunningStack, scenario: Scenario) -> None:
    """Open the scenario's wallets, and wait until readers see them."""
    asyncio.run(seed(stack, scenario.accounts, BALANCE_MICROS))
    asyncio.run(settle(stack))


def audit(stack: RunningStack, loads: Sequence[Load], settled_s: float | None) -> Audit | None:
    """The books of a stack after these loads, against what their clients were told; None for noop: it has no books."""
    checks = asyncio.run(audit_stack(stack, [Told(load.run, load.calls, load.unlogged) for load in loads]))
    if not checks:
        return None
    resting = check("it came to rest", [] if settled_s is not None else ["something was still under way"])
    checks = [resting, *checks]
    return Audit(passed=all(one.passed for one in checks), checks=checks, settled_s=settled_s)
