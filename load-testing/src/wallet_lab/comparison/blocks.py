"""The order of the runs in a block. Pure.

A block begins and ends with the control. Between the two, every architecture runs once, and one of them a second time.
These two runs differ only by chance, so they show what the method calls a difference without any (A/A). The order is
random, because a fixed one would favour an architecture if the machine becomes faster or slower during a block.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wallet_lab.report.model import Route
from wallet_lab.workload.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Turn:
    """One load of a block."""

    architecture: str
    again: bool = False
    """Whether this is the second run of its architecture in the block."""
    route: Route = "direct"
    load: Scenario | None = None
    """Its load; None: that of the scenario."""


@dataclass(frozen=True, slots=True)
class Block:
    """Loads that follow each other without a pause and are compared with each other."""

    number: int
    """From 1. It is also the seed of the draws, which are the same for all architectures of the block."""
    turns: tuple[Turn, ...]


def blocks(
    scenario: str, names: Sequence[str], control: str, number: int, *, through: Sequence[Sequence[str]] = ()
) -> tuple[Block, ...]:
    """Return the blocks of a scenario. `through` has those that also run through the gateway, for the first blocks."""
    extra = [*through, *([()] * number)]
    return tuple(
        Block(each, _turns(scenario, names, control, each, extra[each - 1])) for each in range(1, number + 1)
    )


def mixed_blocks(part: str, turns: Sequence[Turn], control: Turn, number: int) -> tuple[Block, ...]:
    """Return blocks with these turns, whose loads differ, between two of the control. `part` seeds their order."""
    return tuple(Block(each, _mixed(part, turns, control, each)) for each in range(1, number + 1))


def _mixed(part: str, turns: Sequence[Turn], control: Turn, number: int) -> tuple[Turn, ...]:
    order = random.Random(f"{part} {number}").sample(turns, len(turns))
    return (control, *order, replace(control, again=True))


def _turns(
    scenario: str, names: Sequence[str], control: str, number: int, through: Sequence[str]
) -> tuple[Turn, ...]:
    inner = [*map(Turn, names), *(Turn(name, route="gateway") for name in through)]
    draws = random.Random(f"{scenario} {number}")
    draws.shuffle(inner)
    twice = names[(number - 1) % len(names)]
    place = draws.randint(inner.index(Turn(twice)) + 1, len(inner))
    inner.insert(place, Turn(twice, again=True))
    return (Turn(control), *inner, Turn(control, again=True))
