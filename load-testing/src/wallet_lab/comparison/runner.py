"""Runs the plan of a comparison. A step that fails records its reason and keeps the earlier findings."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.comparison.contest import Watch, run_contest
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import Contest, DelayRun, Faults, Idle, Plan, Search, Step, SustainedRun
from wallet_lab.comparison.sizes import size_of
from wallet_lab.comparison.stacks import FreshStack, Stacks, running_stacks
from wallet_lab.comparison.steps import (
    add_delay,
    at_half_capacity,
    measure_idle,
    search_capacity,
    sustain,
)
from wallet_lab.errors import LabError
from wallet_lab.nemesis.load import RATE_PER_S
from wallet_lab.nemesis.run import not_run as fault_not_run
from wallet_lab.nemesis.run import run_faults
from wallet_lab.report.model import HALF_CAPACITY, Capacity
from wallet_lab.workload.sampler import kind_of
from wallet_lab.workload.sustained import not_run as sustained_not_run
from wallet_lab.workload.verdict import not_run


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison while it runs."""

    plan: Plan
    stacks: Stacks
    findings: Findings
    watch: Watch
    evidence: Path | None

    def run(self, step: Step) -> None:
        """Run one step."""
        try:
            self._run(step)
        except Exception as error:  # noqa: BLE001 -- an hour of figures must not be lost to one step; the report has the error
            _note_not_run(self.plan, step, self.findings, f"{type(error).__name__}: {error}")

    def _run(self, step: Step) -> None:
        if isinstance(step, Contest):
            self._contest(step)
            return
        self.watch(_text(step), step.estimate_s)
        match step:
            case Idle():
                self.findings.idle_cpu_percent |= measure_idle(self.stacks.up)
                self.findings.processes |= {
                    name: dict(Counter(map(kind_of, stack.pids))) for name, stack in self.stacks.up.items()
                }
                self.findings.sizes = [
                    size_of(self.stacks.up[name])
                    for name in self.plan.architectures
                    if name in self.stacks.up
                ]
            case Search():
                stack = self.stacks.get(step.architecture)
                self.findings.capacities.append(search_capacity(stack, step, self.findings, self._kept(step)))
            case DelayRun():
                add_delay(self.stacks.get(step.architecture), step, self.findings, self._kept(step))
            case SustainedRun():
                stack = self.stacks.get(step.architecture)
                capacity = self.findings.capacity_per_s(step.architecture)
                self.findings.sustained.append(sustain(stack, step, capacity, self._kept(step)))
            case Faults():
                stack = self.stacks.get(step.architecture)
                found = run_faults(stack, step.fault, injections=step.injections, keep=self._kept(step))
                self.findings.faults.append(found)

    def _contest(self, contest: Contest) -> None:
        if contest.name == HALF_CAPACITY:
            contest = at_half_capacity(contest, self.plan.architectures, self.findings)
        run_contest(
            contest,
            self.plan.control,
            self.stacks.up,
            self.stacks.missing,
            self.findings,
            self.watch,
            self.evidence,
        )

    def _kept(self, step: Search | DelayRun | SustainedRun | Faults) -> Path | None:
        """Return the folder for the evidence of a step."""
        name = step.scenario.name if isinstance(step, DelayRun) else step.name
        repeat = f"-{step.repeat}" if isinstance(step, Search | DelayRun) else ""
        return self.evidence and self.evidence / f"{step.architecture}-{name}{repeat}"


def run_plan(
    plan: Plan,
    findings: Findings,
    watch: Watch,
    fresh_stack: FreshStack,
    evidence: Path | None = None,
) -> None:
    """Run all steps, each phase with newly started stacks. If a stack does not stop, the findings say so.

    `evidence`: the folder that gets a folder of evidence for every audit.
    """
    names = (plan.control, *plan.architectures)
    each_s = plan.start_s / len(names)
    for steps in plan.phases:
        try:
            with running_stacks(names, fresh_stack, lambda name: watch(f"starting {name}", each_s)) as stacks:
                comparison = Comparison(plan, stacks, findings, watch, evidence)
                for step in steps:
                    comparison.run(step)
        except (LabError, OSError) as error:
            findings.not_run.append(f"A stack did not stop: {error}")


def _text(step: Idle | Search | DelayRun | SustainedRun | Faults) -> str:
    match step:
        case Idle():
            return "a pause without load"
        case Search() | DelayRun():
            return f"{step.architecture}: {step.name}, repeat {step.repeat}"
        case _:
            return f"{step.architecture}: {step.name}"


def _note_not_run(plan: Plan, step: Step, findings: Findings, why: str) -> None:
    """Add the step's results as missing, with the reason."""
    now = datetime.now(UTC)
    match step:
        case Contest():
            names = (*plan.architectures, plan.control)
            findings.runs += [
                not_run(name, load, 0, why=why, started_at=now) for name in names for load in step.loads
            ]
        case Search():
            findings.capacities.append(
                Capacity(architecture=step.architecture, repeat=step.repeat, verdict="not-run", why=why)
            )
        case DelayRun():
            findings.runs.append(
                not_run(step.architecture, step.scenario, step.repeat, why=why, started_at=now)
            )
        case SustainedRun():
            findings.sustained.append(sustained_not_run(step.architecture, step.duration_s, why=why))
        case Faults():
            findings.faults.append(fault_not_run(step.architecture, step.fault, RATE_PER_S, why=why))
        case Idle():
            findings.not_run.append(f"{_text(step)}: {why}")
