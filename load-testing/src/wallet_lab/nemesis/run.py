"""Runs one fault on a stack several times under one load with fixed arrival rates."""

import asyncio
import tempfile
import uuid
from pathlib import Path

from wallet_lab.checker.audit import Evidence
from wallet_lab.checker.check import ACKNOWLEDGED
from wallet_lab.errors import LabError
from wallet_lab.nemesis import moments
from wallet_lab.nemesis.faults import Fault
from wallet_lab.nemesis.history import history
from wallet_lab.nemesis.injection import Injections, injecting
from wallet_lab.nemesis.load import PARTS, RATE_PER_S, load
from wallet_lab.nemesis.moments import Injected, Observed
from wallet_lab.record.calls import count
from wallet_lab.report.model import Audit, FaultRun, Outcomes
from wallet_lab.stack.components import Entry
from wallet_lab.stack.health.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.k6 import Load, record_file, record_of, run_k6
from wallet_lab.workload.series import NOT_CARRIED_OUT, audit, prepare
from wallet_lab.workload.verdict import first_violation, passed


def run_faults(
    stack: RunningStack,
    fault: Fault,
    *,
    injections: int = 1,
    rate_per_s: float = RATE_PER_S,
    keep: Path | None = None,
) -> FaultRun:
    """Start the load, inject the fault `injections` times, wait for quiescence, audit once.

    The next injection follows when the stack has recovered, or after `load.RECOVERY_TIMEOUT_S`. If the fault could not
    be injected, the result has the verdict not-run and a reason. `keep` gets the evidence.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="wallet-chaos-") as folder:
            return _run(stack, fault, injections, rate_per_s, Path(folder), keep)
    except NOT_CARRIED_OUT as error:
        return not_run(stack.architecture, fault, rate_per_s, why=str(error))


def _run(
    stack: RunningStack, fault: Fault, times: int, rate_per_s: float, folder: Path, keep: Path | None
) -> FaultRun:
    scenario = load(times, rate_per_s)
    evidence = prepare(stack, scenario)
    run = uuid.uuid4().hex[:12]
    with injecting(stack, fault, record_file(folder, run), times) as done:
        put = run_k6(scenario, Entry.at(stack.base_url), run=run, folder=folder, stop=done.finished)
    stack.wait_ready()
    settled_s = asyncio.run(wait_for_quiescence(stack))
    calls = [call for call in record_of(put, evidence.database) if call.part in PARTS]
    if len(done.at) < times:
        raise LabError(f"the load ended after {len(done.at)} of {times} injections")
    audited = audit(stack, evidence, [put], settled_s, keep=keep)
    observed = _observed(stack, fault, evidence, done, put) if passed(audited) else None
    return FaultRun(
        architecture=stack.architecture,
        fault=fault.name,
        action=fault.action,
        hits=fault.hits,
        verdict="passed" if passed(audited) else "failed",
        why=first_violation(audited),
        rate_per_s=rate_per_s,
        injections=moments.injections(observed) if observed else [],
        outcomes=count(calls),
        dropped_iterations=put.summary.dropped_iterations,
        lost=_lost(audited),
        audit=audited,
    )


def _observed(stack: RunningStack, fault: Fault, evidence: Evidence, done: Injections, put: Load) -> Observed:
    begin_us, end_us = evidence.database.execute(
        "SELECT min(sent_us), max(answered_us) FROM calls"
    ).fetchall()[0]
    if put.stopped_at is not None:
        end_us = int(put.stopped_at * 1e6)
    begin_s = begin_us / 1e6
    return Observed(
        calls=history(evidence.database, fault.target.binds, stack.shards, begin_us=begin_us, end_us=end_us),
        backlog=[one._replace(at_s=one.at_s - begin_s) for one in done.backlog],
        injected=[Injected(at - begin_s, is_recovered) for at, is_recovered in done.at],
        end_s=(end_us - begin_us) / 1e6,
    )


def _lost(audited: Audit | None) -> int | None:
    found = [check.found for check in audited.checks if check.name == ACKNOWLEDGED] if audited else []
    return sum(found) if found else None


def not_run(architecture: str, fault: Fault, rate_per_s: float, *, why: str) -> FaultRun:
    """Make the run of a fault that could not be injected, with the reason."""
    return FaultRun(
        architecture=architecture,
        fault=fault.name,
        action=fault.action,
        hits=fault.hits,
        verdict="not-run",
        why=why,
        rate_per_s=rate_per_s,
        outcomes=Outcomes(),
    )
