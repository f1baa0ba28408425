"""The plan of the target table: which stacks are up together, and what runs on them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wallet_lab.architectures.adapter import Architecture
from wallet_lab.comparison.plan import Idle, Plan, Step, delays
from wallet_lab.comparison.targets.parts import DELAYS, FULL, SHARDED, USUAL, Part, contest, stack_name
from wallet_lab.comparison.targets.rows import Row
from wallet_lab.stack.request import Request
from wallet_lab.statistics.blocks import BLOCKS_FOR_A_VERDICT

DELAY_S = 3.0
USUAL_SHARDS = Request().shards


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The numbers of repeats and the durations."""

    blocks: int = BLOCKS_FOR_A_VERDICT
    """Blocks of each part, and repeats of the consistency delay."""
    load_s: float = 1.5


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows and architectures of the table."""

    rows: tuple[Row, ...]
    architectures: tuple[Architecture, ...]
    control: Architecture
    baseline: Architecture

    def of_part(self, part: str) -> tuple[Architecture, ...]:
        """Return the architectures that have a target in a part of the measurement."""
        keys = {row.key for row in self.rows if row.part == part}
        return tuple(one for one in self.architectures if keys & one.performance_targets.keys())


@dataclass(frozen=True, slots=True)
class Session:
    """Stacks that are up together, and the steps that run on them."""

    plan: Plan
    stacks: Mapping[str, tuple[str, int | None]]
    """By name: the architecture, and the number of shards; None: the usual number."""


def sessions(chosen: Chosen, extent: Extent) -> list[Session]:
    """Return the sessions that the rows need."""
    groups = [[part for part in group if chosen.of_part(part.name)] for group in (USUAL, SHARDED, FULL)]
    return [_session(parts, chosen, extent) for parts in groups if parts]


def _session(parts: Sequence[Part], chosen: Chosen, extent: Extent) -> Session:
    stacks = {
        stack_name(one.name, shards): (one, shards) for part in parts for one, shards in _stacks(part, chosen)
    }
    start_s = chosen.control.comparison.start_s + sum(
        one.comparison.start_s * (shards or USUAL_SHARDS) / USUAL_SHARDS for one, shards in stacks.values()
    )
    steps = (Idle(), *(step for part in parts for step in _steps(part, chosen, extent)))
    plan = Plan(tuple(stacks), chosen.control.name, steps, start_s)
    control = {chosen.control.name: (chosen.control.name, None)}
    return Session(plan, control | {name: (one.name, shards) for name, (one, shards) in stacks.items()})


def _stacks(part: Part, chosen: Chosen) -> Iterator[tuple[Architecture, int | None]]:
    """Yield the stacks of a part without the control: each architecture with its number of shards."""
    shards = dict.fromkeys(load.shards for load in part.loads) or {None: None}
    yield from ((one, number) for one in chosen.of_part(part.name) for number in shards)
    if part.with_others:
        yield chosen.baseline, None


def _steps(part: Part, chosen: Chosen, extent: Extent) -> list[Step]:
    names = [one.name for one in chosen.of_part(part.name)]
    if part is DELAYS:
        return list(delays(names, extent.blocks, DELAY_S))
    others = (chosen.control.name, chosen.baseline.name)
    return [contest(part, names, others, extent.blocks, extent.load_s)]
