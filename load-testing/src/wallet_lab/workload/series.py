"""Several loads on one running stack with one baseline before them and one audit after them."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wallet_lab.checker.audit import NOT_ANSWERED, Evidence
from wallet_lab.checker.audit import audit as audit_stack
from wallet_lab.checker.check import check_of
from wallet_lab.errors import LabError
from wallet_lab.report.model import Audit, Check, Route
from wallet_lab.stack.health.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.k6 import DifferentLoad, Load
from wallet_lab.workload.measurement import Measurement, measure
from wallet_lab.workload.scenarios import Scenario

CURRENCY = "USD"
BALANCE_MICROS = 10**12
"""The opening balance of each wallet: more than any scenario moves."""
NOT_CARRIED_OUT = (LabError, *NOT_ANSWERED)
"""Errors that make a run not-run but do not end the lab: k6 failed, or a database is down."""


class Series:
    """Loads on one stack. No figure of any of them may be reported before the audit of all."""

    def __init__(self, stack: RunningStack, scenario: Scenario, folder: Path) -> None:
        """Open the scenario's wallets and begin the evidence.

        Args:
            stack: a running stack.
            scenario: has the wallets of all loads.
            folder: for the files of k6, which are deleted after each load.
        """
        self._stack = stack
        self._folder = folder
        self._evidence = prepare(stack, scenario)
        self._loads: list[Load] = []
        self._settled_s: float | None = 0.0
        self._broken = ""

    def warm_up(self, scenario: Scenario, seconds: float) -> None:
        """Run a load that no figure counts, so it need not be exactly the requested one. The audit has its calls.

        Raises:
            one of NOT_CARRIED_OUT: the evidence is not complete.
        """
        with suppress(DifferentLoad):
            self.measure(scenario.warm_up.lasting(seconds))

    def measure(
        self, scenario: Scenario, route: Route = "direct", profile: Path | None = None
    ) -> Measurement:
        """Run one load and wait for quiescence. The folder `profile` gets samples of the Python functions.

        Raises:
            one of NOT_CARRIED_OUT: the load was not the requested one. Unless it is a `DifferentLoad`, the evidence
            is not complete after it, so the audit of the series is not possible.
        """
        run = uuid.uuid4().hex[:12]
        try:
            measured = measure(
                self._stack,
                scenario,
                run=run,
                folder=self._folder,
                evidence=self._evidence.database,
                route=route,
                profile=profile,
            )
        except DifferentLoad:
            raise
        except NOT_CARRIED_OUT as error:
            self._broken = str(error)
            raise
        finally:
            for file in self._folder.glob(f"{run}.*"):
                file.unlink()
        self._loads.append(measured.load)
        self._settled_s = measured.settled_s
        return measured

    def audit(self, keep: Path | None = None) -> Audit | None:
        """Audit the stack against all calls of the series; None without a ledger. `keep` gets the evidence.

        Raises:
            one of NOT_CARRIED_OUT: the evidence is not complete, or a database does not answer.
        """
        if self._broken:
            raise LabError(f"no audit is possible, because a load left no complete record: {self._broken}")
        return audit(self._stack, self._evidence, self._loads, self._settled_s, keep=keep)


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
    """Check the rules for clients: no wrong read, no read older than allowed, no refusal without a reason."""
    wrong = [
        f"{load.run}: k6 reports that the check '{rule}' failed"
        for load in loads
        for rule in load.summary.crossed
    ]
    return check_of(
        "every answer is one that the scenario expects", [one for one in wrong if "'checks " in one]
    )
