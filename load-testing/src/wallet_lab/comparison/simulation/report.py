"""Measures a simulated report as the comparison does, block by block, and decides all of its cells."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from wallet_lab.comparison.simulation.machine import FIGURES, Machine, Noise
from wallet_lab.statistics.blocks import calmest, has_drifted
from wallet_lab.statistics.differences import Difference, paired
from wallet_lab.statistics.recovery_times import unpaired
from wallet_lab.statistics.verdicts import Decision, decide

FAULTS = ("kill", "pause", "cut")
RECOVERY = "recovery"
RECOVERY_NOISE = 0.3
"""Standard deviation of the logarithm of a recovery time: the slowest of twenty is about three times the fastest."""

Figures = dict[str, float]
Cell = tuple[str, str, int]
"""Scenario or fault, figure, and the architecture that is compared with the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The size of a report."""

    scenarios: int = 5
    blocks: int = 10
    again_max: int = 2
    """How many blocks of a scenario are measured again at most."""
    injections: int = 10


@dataclass(slots=True)
class Attempt:
    """One attempt of a block. `runs` has one run of each architecture, and `again` the second run of one of them."""

    controls: tuple[float, float]
    runs: list[Figures]
    first: Figures
    again: Figures


@dataclass(slots=True)
class Simulated:
    """A report with its decisions."""

    decisions: dict[Cell, Decision]
    second_runs: dict[tuple[str, str], Difference]
    attempts: list[int] = field(default_factory=list)
    """Number of attempts of each block."""
    moved: int = 0
    """Number of blocks whose control moved in the attempt that counts."""


def simulate(draws: random.Random, noise: Noise, ratios: Sequence[float], extent: Extent) -> Simulated:
    """Simulate a report. `ratios`: how many times each further architecture is the first one, in every figure."""
    machine = Machine(draws, noise, len(ratios) + 1)
    found = Simulated({}, {})
    cells: dict[Cell, Difference | None] = {}
    for scenario in (f"scenario {i}" for i in range(extent.scenarios)):
        blocks = _blocks(draws, machine, (1.0, *ratios), found, extent)
        for figure in (each.name for each in FIGURES):
            for other in range(1, len(ratios) + 1):
                cells[scenario, figure, other] = _compare(blocks, figure, other)
            again = paired(
                *(_by_block([getattr(b, run) for b in blocks], figure) for run in ("again", "first"))
            )
            assert again
            found.second_runs[scenario, figure] = again
    if extent.injections:
        cells |= _recoveries(draws, ratios, extent.injections)
    found.decisions = decide({cell: each for cell, each in cells.items() if each})
    return found


def _blocks(
    draws: random.Random, machine: Machine, ratios: Sequence[float], found: Simulated, extent: Extent
) -> list[Attempt]:
    """Run each block until its control does not move, as often as the scenario permits."""
    kept: list[Attempt] = []
    left = extent.again_max
    for _ in range(extent.blocks):
        attempts = [_attempt(draws, machine, ratios)]
        while left and has_drifted(*attempts[-1].controls):
            attempts.append(_attempt(draws, machine, ratios))
            left -= 1
        kept.append(attempts[calmest([each.controls for each in attempts])])
        found.attempts.append(len(attempts))
        found.moved += has_drifted(*kept[-1].controls)
    return kept


def _attempt(draws: random.Random, machine: Machine, ratios: Sequence[float]) -> Attempt:
    """Run the control, each architecture and one of them again in random order, and the control."""
    twice = draws.randrange(len(ratios))
    order = [*range(len(ratios)), twice]
    draws.shuffle(order)
    before = machine.control()
    runs: dict[int, list[Figures]] = {each: [] for each in order}
    for each in order:
        runs[each].append(machine.run(each, ratios[each]))
    firsts = [runs[each][0] for each in range(len(ratios))]
    return Attempt((before, machine.control()), firsts, *runs[twice])


def _compare(blocks: list[Attempt], figure: str, other: int) -> Difference | None:
    over, under = ([block.runs[each] for block in blocks] for each in (other, 0))
    return paired(_by_block(over, figure), _by_block(under, figure))


def _by_block(runs: list[Figures], figure: str) -> dict[int, float]:
    return {block: run[figure] for block, run in enumerate(runs)}


def _recoveries(
    draws: random.Random, ratios: Sequence[float], injections: int
) -> dict[Cell, Difference | None]:
    """Draw recovery times; one in twenty was not reached before the next injection."""
    cells = {}
    for fault in FAULTS:
        first = _times(draws, 1.0, injections)
        for other, ratio in enumerate(ratios, 1):
            cells[fault, RECOVERY, other] = unpaired(_times(draws, ratio, injections), first, floor=0.01)
    return cells


def _times(draws: random.Random, ratio: float, injections: int) -> list[float | None]:
    return [
        None if draws.random() < 0.05 else ratio * draws.lognormvariate(0, RECOVERY_NOISE)
        for _ in range(injections)
    ]
