"""Runs the blocks of one scenario on stacks that are all up, and audits each stack once at the end."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from wallet_lab.comparison.blocks import Block, Turn
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import Contest
from wallet_lab.errors import LabError
from wallet_lab.report.model import Audit, Run
from wallet_lab.stack.running import RunningStack
from wallet_lab.statistics.blocks import calmest, has_drifted
from wallet_lab.workload import metrics
from wallet_lab.workload.measurement import Measurement
from wallet_lab.workload.scenarios import Scenario
from wallet_lab.workload.series import NOT_CARRIED_OUT, Series
from wallet_lab.workload.verdict import judge, not_run

Watch = Callable[[str, float], None]
"""Receives the name of the next step, and its estimated seconds."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One load of a block: its measurement, or the reason why there is none."""

    block: int
    turn: Turn
    result: Measurement | str
    started_at: datetime


@dataclass(slots=True)
class Runner:
    """The blocks of one scenario while they run."""

    contest: Contest
    control: str
    stacks: Mapping[str, RunningStack]
    """The stacks that are up; the runs of the others get a reason from `missing`."""
    missing: Mapping[str, str]
    folder: Path
    watch: Watch
    series: dict[str, Series] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Why an architecture cannot be measured in this scenario."""
    again: int = 0
    """How many blocks were measured again."""
    unsteady: int = 0

    def run(self) -> list[Measured]:
        """Run all blocks; returns the loads that count."""
        self.watch(f"{self.contest.name}, warm-up", self.contest.around_s)
        for name in self.contest.architectures:
            self._begin(name)
        return [measured for block in self.contest.blocks for measured in self._block(block)]

    def _begin(self, name: str) -> None:
        scenario = self._scenario(name).seeded(0)
        try:
            self.series[name] = Series(self._stack(name), scenario, self.folder)
            if self.contest.warm_up_s:
                self.series[name].warm_up(scenario, self.contest.warm_up_s)
        except NOT_CARRIED_OUT as error:
            self.broken[name] = str(error)

    def _stack(self, name: str) -> RunningStack:
        if name not in self.stacks:
            raise LabError(self.missing[name])
        return self.stacks[name]

    def _scenario(self, name: str) -> Scenario:
        return self.contest.control if name == self.control else self.contest.scenario

    def _block(self, block: Block) -> list[Measured]:
        """Run a block until its controls agree, as often as permitted; returns the calmest attempt."""
        attempts: list[list[Measured]] = []
        while True:
            self.watch(self._text(block, len(attempts)), self.contest.block_s(block))
            attempts.append([self._turn(block, turn) for turn in block.turns])
            if not has_drifted(*controls(attempts[-1])) or not self._may_repeat():
                break
            self.again += 1
        best = attempts[calmest([controls(each) for each in attempts])]
        self.unsteady += has_drifted(*controls(best))
        return best

    def _may_repeat(self) -> bool:
        return self.again < self.contest.again_max and self.control not in self.broken

    def _text(self, block: Block, attempt: int) -> str:
        more = ", again because the machine's speed changed" if attempt else ""
        return f"{self.contest.name}, block {block.number} of {len(self.contest.blocks)}{more}"

    def _turn(self, block: Block, turn: Turn) -> Measured:
        started_at = datetime.now(UTC)
        return Measured(block.number, turn, self._measure(block, turn), started_at)

    def _measure(self, block: Block, turn: Turn) -> Measurement | str:
        if turn.architecture in self.broken:
            return self.broken[turn.architecture]
        scenario = (turn.load or self._scenario(turn.architecture)).seeded(block.number)
        try:
            return self.series[turn.architecture].measure(scenario, turn.route)
        except NOT_CARRIED_OUT as error:
            return str(error)


def controls(block: list[Measured]) -> tuple[float | None, float | None]:
    """Return the figure of the control at the begin and at the end of a block."""
    return _figure(block[0]), _figure(block[-1])


def _figure(control: Measured) -> float | None:
    """Return the throughput; at a fixed arrival rate, which decides the throughput, the CPU time of a call."""
    if isinstance(control.result, str):
        return None
    figures = metrics.of_run(control.result)
    if control.result.scenario.rate_per_s is None:
        throughput: float | None = figures["acked_per_s"]
        return throughput
    costs = figures["server_cpu_ms_per_transfer"]
    return costs.total if costs else None


def run_contest(
    contest: Contest,
    control: str,
    stacks: Mapping[str, RunningStack],
    missing: Mapping[str, str],
    findings: Findings,
    watch: Watch,
    evidence: Path | None = None,
) -> None:
    """Run the blocks of a scenario, audit every architecture once, and add the runs to the findings.

    A failed audit withholds all figures of the scenario on that architecture. `evidence` gets a folder for each audit.
    """
    with ExitStack() as exits:
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="wallet-compare-")))
        runner = Runner(contest, control, stacks, missing, folder, watch)
        with _without(contest.without, (stacks[name] for name in contest.architectures if name in stacks)):
            measured = runner.run()
        audits = {name: _audit(runner, name, evidence) for name in contest.architectures}
    findings.runs += [_judge(contest, each, audits[each.turn.architecture]) for each in measured]
    findings.repeated_blocks[contest.name] = runner.again
    findings.unsteady_blocks[contest.name] = runner.unsteady


@contextmanager
def _without(role: str, stacks: Iterable[RunningStack]) -> Iterator[None]:
    """Inside, the components with this role are down in all stacks."""
    with ExitStack() as outages:
        for stack in stacks if role else ():
            for target in stack.adapter.targets:
                if target.hits == role:
                    outages.enter_context(stack.outage(target.component))
        yield


def _audit(runner: Runner, name: str, evidence: Path | None) -> Audit | str | None:
    """Audit one architecture; returns the audit, None without a ledger, or the reason why it was not possible."""
    if name in runner.broken:
        return runner.broken[name]
    try:
        return runner.series[name].audit(evidence and evidence / f"{name}-{runner.contest.name}")
    except NOT_CARRIED_OUT as error:
        return str(error)


def _judge(contest: Contest, measured: Measured, audit: Audit | str | None) -> Run:
    turn, result = measured.turn, measured.result
    why = audit if isinstance(audit, str) else result
    if isinstance(why, str):
        return not_run(
            turn.architecture,
            turn.load or contest.scenario,
            measured.block,
            why=why,
            started_at=measured.started_at,
            block=measured.block,
            again=turn.again,
            route=turn.route,
        )
    assert not isinstance(audit, str)
    return judge(why, audit, measured.block, block=measured.block, again=turn.again)
