"""The capacity model: the cores and machines for a rate of transfers, computed from measured costs. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Scaling
from wallet_lab.report import selection
from wallet_lab.report.model import Report, Run
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING, number

RATES_PER_S = (1_000, 10_000, 100_000, 1_000_000)
BUSY_SHARE = 0.7
"""The share of its time for which a core may be busy, so that queues stay short."""
MACHINE_CORES = 16
SHARE_MIN = 0.01
"""A component with a smaller share of the cost is left out: idle ones take some CPU time too."""
LOAD = "uniform-1k"
ASSUMPTIONS = (
    "Only CPU time counts: no network, no disk, no memory.",
    f"A transfer takes the CPU time that it took in the load {LOAD}, at any rate and with any number of shards.",
    "If transfers within one shard cost less, many shards cost more than computed, because few of them are local.",
    f"A core is busy for at most {100 * BUSY_SHARE:.0f} % of its time, and a machine has {MACHINE_CORES} cores.",
    "The load is spread evenly over the shards, each with one writer.",
    "A process uses one core. Only a server that is alone on its machine uses all cores there.",
)
_HOW: Mapping[Scaling, str] = {
    "replicas": "any number of processes",
    "shards": "one process per shard",
    "one process": "only one process",
    "one machine": "only one machine",
}


@dataclass(frozen=True, slots=True)
class ComponentCost:
    """The CPU time of a component per transfer, and how the component can grow."""

    kind: str
    cpu_ms: float
    scaling: Scaling

    @property
    def limit_per_s(self) -> float:
        """Transfers per second that one process of it serves; for one machine, those that the machine serves."""
        cores = MACHINE_CORES if self.scaling == "one machine" else 1
        return 1000 * BUSY_SHARE * cores / self.cpu_ms

    @property
    def can_grow(self) -> bool:
        """Whether there can be several."""
        return self.scaling in {"replicas", "shards"}

    def times(self, rate_per_s: float) -> int:
        """Return how many of it serve a rate."""
        return math.ceil(rate_per_s / self.limit_per_s)


@dataclass(frozen=True, slots=True)
class Need:
    """The parts of an architecture that serve a rate."""

    rate_per_s: float
    cores: float
    """Busy cores, on average."""
    machines: int
    replicas: Mapping[str, int]
    """By kind of component."""
    shards: int
    """0: the architecture has none."""
    exceeded: Mapping[str, int]
    """The components of which there is only one: how many would be necessary, if one does not suffice."""


def need(costs: Sequence[ComponentCost], rate_per_s: float) -> Need:
    """Return the parts that serve a rate."""
    cores = rate_per_s * sum(cost.cpu_ms for cost in costs) / 1000
    times = {cost: cost.times(rate_per_s) for cost in costs}
    return Need(
        rate_per_s=rate_per_s,
        cores=cores,
        machines=math.ceil(cores / (BUSY_SHARE * MACHINE_CORES)),
        replicas={cost.kind: number for cost, number in times.items() if cost.scaling == "replicas"},
        shards=max((number for cost, number in times.items() if cost.scaling == "shards"), default=0),
        exceeded={cost.kind: number for cost, number in times.items() if not cost.can_grow and number > 1},
    )


def costs_of(runs: Iterable[Run], architecture: str, load: str = LOAD) -> tuple[ComponentCost, ...]:
    """Return the mean costs in a load. The component that saturates first is the first one.

    Empty if the load was not measured, or if the lab does not know how the architecture grows.
    """
    scaling = next((each.scaling for each in architectures.every() if each.name == architecture), {})
    found = [
        costs.by_component
        for run in runs
        if (run.architecture, run.scenario, run.route) == (architecture, load, "direct")
        and (costs := run.server_cpu_ms_per_transfer)
    ]
    if not scaling or not found:
        return ()
    means = {kind: fmean(each.get(kind, 0.0) for each in found) for kind in found[0]}
    least = SHARE_MIN * sum(means.values())
    parts = [
        ComponentCost(kind, mean, scaling.get(kind, "one process"))
        for kind, mean in means.items()
        if mean >= least > 0
    ]
    return tuple(sorted(parts, key=lambda cost: cost.limit_per_s))


def costs_of_all(report: Report) -> dict[str, tuple[ComponentCost, ...]]:
    """Return the costs of the architectures of a report."""
    return {name: costs_of(report.runs, name) for name in selection.architectures(report)}


def needs_table(costs: Mapping[str, Sequence[ComponentCost]]) -> Table:
    """Return what each architecture needs for each rate. `costs`: by architecture."""
    headings = (
        "architecture",
        "transfers/s",
        "busy cores",
        "machines",
        "processes",
        "needed, but the design has one",
    )
    rows = [
        _needs_row(name, need(each, rate)) for name, each in costs.items() if each for rate in RATES_PER_S
    ]
    return Table(headings, rows)


def _needs_row(architecture: str, found: Need) -> tuple[str, ...]:
    parts = [f"{kind} × {count}" for kind, count in found.replicas.items()]
    parts += [f"shard × {found.shards}"] if found.shards else []
    exceeded = [f"{kind} × {count}" for kind, count in found.exceeded.items()]
    return (
        architecture,
        number(found.rate_per_s),
        number(found.cores),
        number(found.machines),
        ", ".join(parts) or NOTHING,
        ", ".join(exceeded) or NOTHING,
    )


def limits_table(costs: Mapping[str, Sequence[ComponentCost]]) -> Table:
    """Return the components of each architecture, the one that saturates first at the top. `costs`: as above."""
    headings = ("architecture", "component", "CPU-ms per transfer", "grows by", "transfers/s of one")
    rows = [
        (name, cost.kind, number(cost.cpu_ms), _HOW[cost.scaling], number(cost.limit_per_s))
        for name, each in costs.items()
        for cost in each
    ]
    return Table(headings, rows)


def first_limits(costs: Mapping[str, Sequence[ComponentCost]]) -> list[str]:
    """Return a sentence for each architecture: the component that saturates first, and the one that cannot grow."""
    return [_first_limit(name, each) for name, each in costs.items() if each]


def _first_limit(architecture: str, costs: Sequence[ComponentCost]) -> str:
    first = costs[0]
    sentence = f"{architecture}: with one process of each component, {first.kind} saturates first, at {_rate(first)}."
    fixed = next((cost for cost in costs if not cost.can_grow), None)
    if fixed is None:
        return f"{sentence} Every component can grow."
    return (
        f"{sentence} {fixed.kind} cannot grow ({_HOW[fixed.scaling]}) and serves {_rate(fixed)}. For a higher rate, "
        f"the design would need several {fixed.kind}, each for a part of the wallets."
    )


def _rate(cost: ComponentCost) -> str:
    return f"{number(cost.limit_per_s)} transfers/s"
