"""The parts of the measurement: loads that run in the same blocks, so that they can be divided by each other. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wallet_lab.architectures.adapter import CACHE
from wallet_lab.comparison.blocks import Turn, mixed_blocks
from wallet_lab.comparison.plan import Contest
from wallet_lab.workload.scenarios import SCENARIOS, Scenario

CLIENTS = (200, 50)
MILLION_CLIENTS = 100
SHARDS = (1, 8)
"""The smallest and the largest number of shards of the growth rows."""
WARM_UP_S = 1.0
AGAIN_MAX = 1
"""How many blocks of a part are measured again at most, because their controls differed."""


@dataclass(frozen=True, slots=True)
class Load:
    """A load, and the number of shards of its stack; None: the usual number."""

    scenario: Scenario
    shards: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Loads that run in the same blocks."""

    name: str
    loads: tuple[Load, ...]
    """The control runs the first one at both ends of each block. Without loads, the part measures the delay."""
    with_others: bool = False
    """Whether the control and the baseline run all loads as well."""
    without: str = ""
    """The role of the components that are down during the blocks."""


def _closed(scenario: str, clients: int, name: str = "") -> Scenario:
    return replace(SCENARIOS[scenario], name=name or f"{scenario}-{clients}", clients=clients)


_READS = SCENARIOS["reads"]
_MILLION = replace(
    _closed("uniform-100k", MILLION_CLIENTS, f"uniform-1m-{MILLION_CLIENTS}"), wallets=1_000_000
)
_FEW, _MANY = SHARDS
DELAYS = Part(name="delays", loads=())
USUAL = (
    *(
        Part(
            name=f"clients-{clients}",
            loads=(Load(_closed("uniform-1k", clients)), Load(_closed("hot-pair", clients))),
            with_others=True,
        )
        for clients in CLIENTS
    ),
    Part(name="reads", loads=(Load(_READS),)),
    # Before the cache is killed, because reads can stay old for some seconds after its restart.
    DELAYS,
    Part(
        name="reads-without-cache", loads=(Load(replace(_READS, name="reads-without-cache")),), without=CACHE
    ),
    # The last one, because every later audit would also check its wallets.
    Part(name="wallets", loads=(Load(SCENARIOS["uniform-1k"]), Load(SCENARIOS["uniform-100k"]))),
)
"""On stacks that are up together."""
SHARDED = (
    Part(
        name="shards",
        loads=(
            Load(_closed("uniform-1k", 200, "many-shards"), _MANY),
            Load(_closed("uniform-1k", 200, "few-shards"), _FEW),
            Load(_closed("uniform-1k", 200 * _FEW // _MANY, "few-shards-equal-each"), _FEW),
        ),
    ),
)
"""On stacks of the smallest and of the largest number of shards."""
FULL = (Part(name="million-wallets", loads=(Load(_closed("uniform-1k", MILLION_CLIENTS)), Load(_MILLION))),)
"""On stacks of their own, because a million wallets would slow down every other audit."""


def stack_name(architecture: str, shards: int | None) -> str:
    """Return the name of a stack in a plan."""
    return architecture if shards is None else f"{architecture}-{shards}-shards"


def contest(
    part: Part, names: Sequence[str], others: tuple[str, str], blocks: int, duration_s: float
) -> Contest:
    """Return the blocks of a part.

    Args:
        part: has the loads.
        names: the architectures with a target in the part.
        others: the control and the baseline.
        blocks: the number of blocks.
        duration_s: of each load.
    """
    loads = [Load(load.scenario.lasting(duration_s), load.shards) for load in part.loads]
    control, baseline = others
    first = loads[0].scenario
    turns = [Turn(stack_name(name, load.shards), load=load.scenario) for name in names for load in loads]
    if part.with_others:
        turns += [Turn(baseline, load=load.scenario) for load in loads]
        turns += [Turn(control, load=load.scenario) for load in loads[1:]]
    # Its wallets are those of all loads.
    largest = max((load.scenario for load in loads), key=lambda load: load.wallets)
    return Contest(
        scenario=replace(largest, name=part.name),
        control=first,
        blocks=mixed_blocks(part.name, turns, Turn(control, load=first), blocks),
        warm_up_s=WARM_UP_S,
        again_max=AGAIN_MAX,
        without=part.without,
    )
