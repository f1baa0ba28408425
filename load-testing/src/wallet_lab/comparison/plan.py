"""The plan of a comparison: its steps, their order, and an estimate of the time. Pure.

All stacks are up at the same time. Of each scenario there are several blocks (`blocks.py`). A block has one short load
per architecture, so its runs are close together in time, and only they are compared with each other. A full comparison
starts all stacks again, with empty databases, before the open loads and before the faults: every audit reads all books,
so audits of small books save more time than the starts cost.

Time budget on two cores with three architectures, in minutes:

| part | quick | full |
|---|---|---|
| start and stop | 0.6 | 1.7 |
| blocks of all scenarios, through the gateway too | 3.2 | 16 |
| consistency delay | 0.4 | 2.5 |
| searches for the capacity | 1.1 | 7 |
| sustained runs | none | 21 |
| faults | 1.7 | 35 |
| in all | 6.8 | 82 |
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from wallet_lab.architectures.adapter import Architecture
from wallet_lab.comparison.blocks import Block, blocks
from wallet_lab.nemesis.faults import Action, Fault, faults, possible
from wallet_lab.report.model import HALF_CAPACITY
from wallet_lab.statistics.blocks import BLOCKS_FOR_A_VERDICT
from wallet_lab.workload.scenarios import SCENARIOS, Scenario

CAPACITY = "capacity"
CONSISTENCY = "consistency"
SUSTAINED = "sustained"
WHAT_THEY_ARE = {
    "uniform-1k": "50 clients, 1000 wallets at random",
    "hot-pair": "50 clients, all from one wallet to another",
    "reads": "50 clients read balances",
    "refusals": "50 clients, a share to wallets that are missing, frozen or empty",
    "mixed": "50 clients, nine reads to a transfer",
    "zipf": "50 clients, 10 000 wallets, few of them get most",
    "bank": "20 clients, all calls of the contract, 20 wallets",
    "open": "500 transfers arrive each second, 1000 wallets",
    "normal": "50 clients that pause half a second, one pair of wallets",
    "highload": "500 clients that pause half a second, one pair of wallets",
    "uniform-100k": "50 clients, 100 000 wallets at random",
    CAPACITY: "transfers arrive at rates that a search chooses, 1000 wallets",
    HALF_CAPACITY: "transfers arrive at half of the lowest capacity, 1000 wallets",
    CONSISTENCY: "one client writes and then reads",
    SUSTAINED: "transfers arrive at 70 % of the architecture's capacity for minutes, 1000 wallets",
}
"""In the order of execution: uniform-100k comes after the other closed loops, because every later audit also checks its
wallets."""

LOADED_PER_S = 300.0
"""Transfers per second of the background load in the second measurement of the consistency delay."""
IDLE_S = 5.0
"""Duration of the pause that shows the resources that stacks without load take from their neighbours."""

LOAD_OVERHEAD_S = 0.4
"""Seconds that the start and end of k6, the record of calls and quiescence add to a load."""
AUDIT_S = 1.5
"""Seconds to open the wallets of a scenario and to audit one architecture."""
WALLET_S = 5e-5
"""Seconds for each wallet in addition, if there are many."""
PROBES = {1.08: 7, 1.2: 5}
"""Probes of the first search for the capacity of an architecture, usually, by its resolution."""
LATER_PROBES = 4
"""Probes of the later searches, which start near the capacity that the first one found."""
PROBE_OVERHEAD_S = 2.0
"""Seconds that a probe takes in addition to its load. It has more clients, which k6 must start."""
FAULT_OVERHEAD_S = 11.0
"""Seconds of the load before the first injection, and of the audit."""
INJECTION_S = {"kill": 4.7, "pause": 7.0, "cut": 7.0}
"""Seconds from one injection of a fault to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The numbers of repeats and the durations of a comparison."""

    scenarios: tuple[str, ...]
    blocks: int
    """Blocks of the first scenario."""
    other_blocks: int
    """Blocks of each other scenario."""
    gateway_scenarios: tuple[str, ...]
    """The scenarios that are also measured through the gateway."""
    gateway_blocks: int
    """The number of their blocks in which this happens."""
    load_s: float
    warm_up_s: float
    again_max: int
    """How many blocks of a scenario are measured again at most, because their controls differed."""
    searches: int
    """Searches for the capacity per architecture."""
    probe_s: float
    resolution: float
    """Ratio of the lowest rate that missed the limits to the highest that met them, at which a search ends."""
    delays: int
    delay_s: float
    sustained_s: float
    fault_actions: tuple[Action, ...]
    injections: int
    restarts: bool
    """Whether all stacks start again between the groups of parts."""


FULL = Extent(
    scenarios=(
        *("uniform-1k", "hot-pair", "reads", "refusals"),
        *(CAPACITY, HALF_CAPACITY, CONSISTENCY, SUSTAINED),
    ),
    blocks=10,
    other_blocks=10,
    gateway_scenarios=("uniform-1k", "reads"),
    gateway_blocks=3,
    load_s=2.0,
    warm_up_s=2.0,
    again_max=2,
    searches=BLOCKS_FOR_A_VERDICT,
    probe_s=2.5,
    resolution=1.08,
    delays=BLOCKS_FOR_A_VERDICT,
    delay_s=2.0,
    sustained_s=600.0,
    fault_actions=("kill", "pause", "cut"),
    injections=10,
    restarts=True,
)
QUICK = Extent(
    scenarios=("uniform-1k", "reads", CAPACITY, CONSISTENCY),
    blocks=BLOCKS_FOR_A_VERDICT,
    other_blocks=BLOCKS_FOR_A_VERDICT,
    gateway_scenarios=("uniform-1k",),
    gateway_blocks=1,
    load_s=1.5,
    warm_up_s=1.0,
    again_max=1,
    searches=1,
    probe_s=2.0,
    resolution=1.2,
    delays=1,
    delay_s=2.0,
    sustained_s=0.0,
    fault_actions=("kill",),
    injections=3,
    restarts=False,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The user's options."""

    architectures: tuple[Architecture, ...]
    scenarios: tuple[str, ...] | None = None
    """None: those of the extent."""
    faults: tuple[str, ...] | None = None
    """None: those of the extent, or none if scenarios were named."""
    can_cut: bool = False
    """Whether the backend can disconnect a component from the network."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A pause without load."""

    estimate_s: float = IDLE_S
    name: str = "idle"


@dataclass(frozen=True, slots=True)
class Restart:
    """All stacks stop, and start again with empty databases."""

    estimate_s: float
    name: str = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The blocks of one scenario."""

    scenario: Scenario
    control: Scenario
    """The load of the control, which does not know every call. It has the scenario's name."""
    blocks: tuple[Block, ...]
    warm_up_s: float
    again_max: int
    without: str = ""
    """The role of the components that are down during the blocks (`Target.hits`)."""

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.scenario.name

    @property
    def loads(self) -> tuple[Scenario, ...]:
        """All loads of its blocks."""
        turns = (turn for block in self.blocks for turn in block.turns)
        return tuple(dict.fromkeys(turn.load or self.scenario for turn in turns))

    @property
    def architectures(self) -> tuple[str, ...]:
        """All that run in its blocks, the control included."""
        return tuple(dict.fromkeys(turn.architecture for block in self.blocks for turn in block.turns))

    def block_s(self, block: Block) -> float:
        """Return the estimated seconds of a block."""
        return len(block.turns) * (self.scenario.duration_s + LOAD_OVERHEAD_S)

    @property
    def around_s(self) -> float:
        """Return the estimated seconds of the warm-up and of the audits."""
        wallets_s = self.scenario.wallets * WALLET_S
        return len(self.architectures) * (self.warm_up_s + LOAD_OVERHEAD_S + AUDIT_S + wallets_s)

    @property
    def estimate_s(self) -> float:
        """The estimated seconds. Half of the permitted repetitions are expected."""
        again_s = self.again_max / 2 * self.block_s(self.blocks[0])
        return self.around_s + sum(map(self.block_s, self.blocks)) + again_s


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the capacity of one architecture."""

    architecture: str
    repeat: int
    probe_s: float
    resolution: float
    name: str = CAPACITY

    @property
    def estimate_s(self) -> float:
        """The estimated seconds."""
        probes = PROBES[self.resolution] if self.repeat == 1 else LATER_PROBES
        return probes * (self.probe_s + PROBE_OVERHEAD_S) + AUDIT_S


@dataclass(frozen=True, slots=True)
class DelayRun:
    """A measurement of the consistency delay."""

    architecture: str
    repeat: int
    scenario: Scenario
    name: str = CONSISTENCY

    @property
    def load(self) -> str:
        """The background load in words."""
        return load_in_words(self.scenario.rate_per_s)

    @property
    def estimate_s(self) -> float:
        """The estimated seconds."""
        return self.scenario.duration_s + LOAD_OVERHEAD_S + AUDIT_S


@dataclass(frozen=True, slots=True)
class SustainedRun:
    """A long load on one architecture."""

    architecture: str
    duration_s: float
    name: str = SUSTAINED

    @property
    def estimate_s(self) -> float:
        """The estimated seconds; the audit of so many calls takes a twentieth of the load."""
        return 1.05 * self.duration_s + LOAD_OVERHEAD_S + AUDIT_S


@dataclass(frozen=True, slots=True)
class Faults:
    """Several injections of one fault into one architecture."""

    architecture: str
    fault: Fault
    injections: int

    @property
    def name(self) -> str:
        """The fault's name."""
        return self.fault.name

    @property
    def estimate_s(self) -> float:
        """The estimated seconds."""
        return FAULT_OVERHEAD_S + self.injections * INJECTION_S[self.fault.action]


Step = Idle | Contest | Search | DelayRun | SustainedRun | Faults


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps of a comparison, in order."""

    architectures: tuple[str, ...]
    """The compared ones, without the control."""
    control: str
    steps: tuple[Step | Restart, ...]
    start_s: float
    """Estimated seconds to start and to stop all stacks."""

    @property
    def phases(self) -> list[list[Step]]:
        """The steps from one start of the stacks to the next."""
        found: list[list[Step]] = [[]]
        for step in self.steps:
            if isinstance(step, Restart):
                found.append([])
            else:
                found[-1].append(step)
        return found

    @property
    def has_gateway(self) -> bool:
        """Whether a load runs through the gateway."""
        contests = (step for step in self.steps if isinstance(step, Contest))
        return any(
            turn.route == "gateway" for each in contests for block in each.blocks for turn in block.turns
        )

    @property
    def estimate_s(self) -> float:
        """The estimated seconds in all."""
        return self.start_s + sum(step.estimate_s for step in self.steps)


def plan(extent: Extent, choice: Choice, control: Architecture) -> Plan:
    """Return all steps of a comparison."""
    named = parts(extent, choice)
    names = tuple(one.name for one in choice.architectures)
    half = replace(SCENARIOS["open"], name=HALF_CAPACITY)
    contests = [each for each in named if each not in {CAPACITY, CONSISTENCY, SUSTAINED, HALF_CAPACITY}]
    groups: list[list[Step]] = [
        [each for name in contests for each in _contests(extent, SCENARIOS[name], choice, control)],
        [
            *(delays(names, extent.delays, extent.delay_s) if CONSISTENCY in named else []),
            *_searches(extent, names, named),
            # The rate is known only when the searches have ended.
            *(_contests(extent, half, choice, control) if HALF_CAPACITY in named else []),
            *(_sustained(extent, choice) if SUSTAINED in named else []),
        ],
        list(_faults(extent, choice)),
    ]
    start_s = control.comparison.start_s + sum(one.comparison.start_s for one in choice.architectures)
    between = (Restart(start_s),) if extent.restarts else ()
    return Plan(names, control.name, (Idle(), *_joined([each for each in groups if each], between)), start_s)


def _joined(groups: Iterable[Iterable[Step]], between: tuple[Restart, ...]) -> Iterator[Step | Restart]:
    for number, group in enumerate(groups):
        yield from between if number else ()
        yield from group


def parts(extent: Extent, choice: Choice) -> list[str]:
    """Return the scenarios of a comparison in the order of execution."""
    if choice.scenarios is None:
        asked: Iterable[str] = extent.scenarios if choice.faults is None else ()
    else:
        asked = choice.scenarios
    return [name for name in WHAT_THEY_ARE if name in set(asked)]


def _contests(extent: Extent, scenario: Scenario, choice: Choice, control: Architecture) -> Iterator[Contest]:
    """Yield the blocks of a scenario, if an architecture takes part. A user's own stack has no gateway of the lab."""
    chosen = [one for one in choice.architectures if _takes_part(one, scenario)]
    if not chosen:
        return
    is_first = scenario.name == next(iter(WHAT_THEY_ARE))
    through = (*(one.name for one in chosen if not one.source), control.name)
    gateway_blocks = extent.gateway_blocks if scenario.name in extent.gateway_scenarios else 0
    lasting = scenario.lasting(extent.load_s)
    yield Contest(
        scenario=lasting,
        control=control_load(lasting, control),
        blocks=blocks(
            scenario.name,
            [one.name for one in chosen],
            control.name,
            extent.blocks if is_first else extent.other_blocks,
            through=[through] * gateway_blocks,
        ),
        warm_up_s=extent.warm_up_s,
        again_max=extent.again_max,
    )


def _takes_part(architecture: Architecture, scenario: Scenario) -> bool:
    known = architecture.comparison.scenarios
    return known is None or scenario.name in known or scenario.name == HALF_CAPACITY


def control_load(scenario: Scenario, control: Architecture) -> Scenario:
    """Return the load of the control during a scenario: the same one, or its first own if it lacks the calls."""
    known = control.comparison.scenarios
    if known is None or scenario.name in known:
        return scenario
    return replace(SCENARIOS[known[0]].lasting(scenario.duration_s), name=scenario.name)


def _searches(extent: Extent, names: Sequence[str], named: Sequence[str]) -> list[Search]:
    """Return the searches. The rates of other parts depend on one search of each architecture."""
    needed = bool({HALF_CAPACITY, SUSTAINED} & set(named))
    repeats = extent.searches if CAPACITY in named else int(needed)
    return [
        Search(name, repeat, extent.probe_s, extent.resolution)
        for repeat in range(1, repeats + 1)
        for name in names
    ]


def load_in_words(rate_per_s: float | None) -> str:
    """Describe the background load of a consistency delay."""
    return "idle" if rate_per_s is None else f"with {rate_per_s:g} transfers/s"


def delays(names: Sequence[str], repeats: int, duration_s: float) -> list[DelayRun]:
    """Return measurements of the consistency delay, without and with background load."""
    idle = SCENARIOS[CONSISTENCY].lasting(duration_s)
    loaded = idle.at_rate(LOADED_PER_S, f"{CONSISTENCY}-{LOADED_PER_S:g}")
    return [
        DelayRun(name, repeat, scenario)
        for repeat in range(1, repeats + 1)
        for scenario in (idle, loaded)
        for name in names
    ]


def _sustained(extent: Extent, choice: Choice) -> list[SustainedRun]:
    if not extent.sustained_s:
        return []
    chosen = [one for one in choice.architectures if choice.scenarios or not one.is_baseline]
    return [SustainedRun(one.name, extent.sustained_s) for one in chosen]


def _faults(extent: Extent, choice: Choice) -> list[Faults]:
    """Return the faults, those of all architectures in turn, because a fault leaves traces in its stack."""
    return [
        Faults(one.name, fault, extent.injections)
        for one in choice.architectures
        for fault in chosen_faults(extent, choice, one)
    ]


def chosen_faults(extent: Extent, choice: Choice, architecture: Architecture) -> list[Fault]:
    """Return the faults of one architecture. A baseline is only killed, unless the user names other faults."""
    known = faults(architecture)
    if choice.faults is not None:
        return [known[name] for name in choice.faults if name in known]
    if choice.scenarios is not None:
        return []
    is_short = extent.fault_actions == ("kill",)
    actions = ("kill",) if architecture.is_baseline else extent.fault_actions
    return [
        fault
        for fault in possible(architecture, on_containers=choice.can_cut)
        if fault.action in actions and (not is_short or fault.name in architecture.comparison.faults)
    ]
