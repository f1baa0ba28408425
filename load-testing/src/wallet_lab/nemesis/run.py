"""Runs one fault on a stack under a load with a fixed arrival rate."""

import asyncio
import tempfile
import uuid
from pathlib import Path

from wallet_lab.checker.check import ACKNOWLEDGED
from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import Fault
from wallet_lab.nemesis.injection import injecting
from wallet_lab.nemesis.load import BEFORE_S
from wallet_lab.nemesis.recovery import drained_s, moments, timeline
from wallet_lab.record.calls import count
from wallet_lab.report.model import Audit, Outcomes, Recovery
from wallet_lab.stack.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.k6 import record_file, record_of, run_k6
from wallet_lab.workload.run import NOT_CARRIED_OUT, audit, prepare
from wallet_lab.workload.scenarios import Scenario
from wallet_lab.workload.verdict import first_violation, passed


def run_fault(
    stack: RunningStack, fault: Fault, scenario: Scenario, *, repeat: int = 1, keep: Path | None = None
) -> Recovery:
    """Start the load, inject the fault, wait for quiescence, audit.

    If the fault could not be injected, the recovery has the verdict not-run and a reason. `keep` gets the evidence.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="wallet-chaos-") as folder:
            return _run(stack, fault, scenario, repeat, Path(folder), keep)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, fault, repeat, why=str(error))


def _run(
    stack: RunningStack, fault: Fault, scenario: Scenario, repeat: int, folder: Path, keep: Path | None
) -> Recovery:
    evidence = prepare(stack, scenario)
    run = uuid.uuid4().hex[:12]
    with injecting(stack, fault, record_file(folder, run), BEFORE_S) as injection:
        put = run_k6(scenario, stack.base_url, run=run, folder=folder)
        stack.wait_ready()
        settled_s = asyncio.run(wait_for_quiescence(stack))
    # Only transfers that nothing but the fault prevents: not those of the bank's clients.
    calls = [call for call in record_of(put, evidence.database) if call.part == scenario.script]
    if injection.fault_ms is None:
        raise LabError("the load ended before the fault")
    audited = audit(stack, evidence, [put], settled_s, keep=keep)
    seen = moments(calls, injection.fault_ms)
    is_passed = passed(audited)
    return Recovery(
        architecture=stack.architecture,
        fault=fault.name,
        hits=fault.hits,
        repeat=repeat,
        verdict="passed" if is_passed else "failed",
        why=first_violation(audited),
        detected_s=seen.detected_s if is_passed else None,
        first_success_s=seen.first_success_s if is_passed else None,
        drained_s=drained_s(injection.backlog) if is_passed else None,
        converged_s=seen.converged_s if is_passed else None,
        lost=_lost(audited),
        outcomes=count(calls),
        timeline=timeline(calls, injection.fault_ms) if is_passed else [],
        audit=audited,
    )


def _lost(audited: Audit | None) -> int | None:
    found = [check.found for check in audited.checks if check.name == ACKNOWLEDGED] if audited else []
    return sum(found) if found else None


def not_run(architecture: str, fault: Fault, repeat: int, *, why: str) -> Recovery:
    """Make the recovery of a fault that could not be injected, with the reason."""
    return Recovery(
        architecture=architecture,
        fault=fault.name,
        hits=fault.hits,
        repeat=repeat,
        verdict="not-run",
        why=why,
        detected_s=None,
        first_success_s=None,
        drained_s=None,
        converged_s=None,
        lost=None,
        outcomes=Outcomes(),
    )
