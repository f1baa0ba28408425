"""Runs the plan of a comparison. A failed run records its reason and keeps the earlier findings."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import PlannedRun, Session
from wallet_lab.errors import LabError
from wallet_lab.nemesis import run as nemesis
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.run import measure_delay, run_scenario, run_sweep
from wallet_lab.workload.verdict import not_run

Watcher = Callable[[Session, PlannedRun | None], None]
"""Receives each start: of a session, then of each of its runs."""

FreshStack = Callable[[str], AbstractContextManager[RunningStack]]
"""Starts a stack of this architecture for this caller alone."""


def run_sessions(
    sessions: list[Session],
    findings: Findings,
    watch: Watcher,
    fresh_stack: FreshStack,
    evidence: Path | None = None,
) -> None:
    """Run all sessions, each on its own stack, which is stopped and wiped in every case.

    `evidence`: the folder that gets a folder of evidence for every run.
    """
    for session in sessions:
        watch(session, None)
        left = list(session.planned)
        try:
            with fresh_stack(session.architecture) as stack:
                while left:
                    watch(session, left[0])
                    _carry_out(stack, session.repeat, left.pop(0), findings, evidence)
        except (LabError, OSError) as error:  # it did not start, or did not stop
            for planned in left:
                _note_not_run(session.architecture, session.repeat, planned, findings, str(error))


def _carry_out(
    stack: RunningStack, repeat: int, planned: PlannedRun, findings: Findings, evidence: Path | None
) -> None:
    name = f"{stack.architecture}-{repeat}-{planned.name}"
    if planned.scenario.rate_per_s is not None:
        name += f"-{planned.scenario.rate_per_s:g}"
    try:
        _do(stack, repeat, planned, findings, None if evidence is None else evidence / name)
    except Exception as error:  # noqa: BLE001 -- half an hour of figures must not be lost to one run; the report has the error
        _note_not_run(stack.architecture, repeat, planned, findings, f"{type(error).__name__}: {error}")


def _do(stack: RunningStack, repeat: int, planned: PlannedRun, findings: Findings, keep: Path | None) -> None:
    scenario, warm_up_s = planned.scenario, planned.warm_up_s
    if planned.fault is not None:
        findings.recoveries.append(
            nemesis.run_fault(stack, planned.fault, scenario, repeat=repeat, keep=keep)
        )
    elif planned.kind == "sweep":
        findings.runs += run_sweep(stack, scenario, repeat=repeat, warm_up_s=warm_up_s, keep=keep)
    elif planned.kind == "delay":
        load = "idle" if scenario.rate_per_s is None else f"{scenario.rate_per_s:g} transfers/s beside"
        run, delay = measure_delay(stack, scenario, load=load, repeat=repeat, warm_up_s=warm_up_s, keep=keep)
        findings.runs.append(run)
        findings.delays += [delay] if delay else []
    else:
        findings.runs.append(run_scenario(stack, scenario, repeat=repeat, warm_up_s=warm_up_s, keep=keep))


def _note_not_run(architecture: str, repeat: int, planned: PlannedRun, findings: Findings, why: str) -> None:
    if planned.fault is not None:
        findings.recoveries.append(nemesis.not_run(architecture, planned.fault, repeat, why=why))
        return
    now = datetime.now(UTC)
    findings.runs.append(not_run(architecture, planned.scenario, repeat, why=why, started_at=now))
