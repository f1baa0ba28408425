"""Runs what the target table needs. A part that fails leaves its reason, and the others keep their figures."""

from contextlib import AbstractContextManager
from pathlib import Path

from wallet_lab.comparison.contest import Watch
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.runner import run_plan
from wallet_lab.comparison.targets.against import compare_with
from wallet_lab.comparison.targets.other_checkout import running_other
from wallet_lab.comparison.targets.plan import Chosen, Session
from wallet_lab.comparison.targets.rows import CAPACITY, EARLIER
from wallet_lab.stack.backend import Backend, fresh_stack
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.series import NOT_CARRIED_OUT


def run_session(session: Session, findings: Findings, watch: Watch, evidence: Path | None) -> None:
    """Start the stacks of a session, run its steps, and stop the stacks. `evidence` gets a folder for each audit."""

    def start(name: str) -> AbstractContextManager[RunningStack]:
        architecture, shards = session.stacks[name]
        return fresh_stack(architecture, Backend.NATIVE, shards=shards)

    run_plan(session.plan, findings, watch, start, evidence)


def run_against(folder: Path, asked: Chosen, blocks: int, findings: Findings, watch: Watch) -> None:
    """Compare the architectures with those of another checkout."""
    has_capacity = any(row.key == CAPACITY for row in asked.rows)
    for name in (one.name for one in asked.of_part(EARLIER)):
        watch(f"{name}: starting the stack of {folder}", 0.0)
        try:
            with running_other(folder, name) as other, fresh_stack(name, Backend.NATIVE) as stack:
                compare_with(other, stack, findings, watch, blocks=blocks, has_capacity=has_capacity)
        except NOT_CARRIED_OUT as error:
            findings.not_run.append(f"{name} was not compared with {folder}: {error}")
