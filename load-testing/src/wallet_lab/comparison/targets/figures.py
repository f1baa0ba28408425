"""The figures of the target rows: how each is computed from the findings. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import geometric_mean as mean_of

from wallet_lab import architectures
from wallet_lab.comparison.findings import Findings
from wallet_lab.report.model import MAIN_LIMIT_MS, Delay, Run
from wallet_lab.statistics.differences import paired
from wallet_lab.statistics.summaries import geometric_mean

DATABASES = "postgres"
"""The kinds of components that are databases begin with it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure. Its interval covers the true figure in 95 % of cases; None: a single block has none."""

    value: float
    interval: tuple[float, float] | None
    count: int
    """Number of blocks or repeats."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of an architecture in one scenario over that of another one, or in another scenario, block by block."""

    of: Callable[[Run], float | None]
    over: str
    """The scenario of the dividend."""
    under: str
    """The scenario of the divisor."""
    by: Callable[[str], str]
    """Returns the architecture of the divisor."""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios whose runs it uses."""
        return self.over, self.under

    def figure(self, findings: Findings, architecture: str) -> Figure | None:
        """Return the ratio; None if no block has both figures."""
        found = paired(
            _by_block(findings.runs, architecture, self.over, self.of),
            _by_block(findings.runs, self.by(architecture), self.under, self.of),
        )
        if found is None:
            return None
        interval = (found.low, found.high) if found.count > 1 else None
        return Figure(found.ratio, interval, found.count)


def _by_block(
    runs: Iterable[Run], architecture: str, scenario: str, of: Callable[[Run], float | None]
) -> Mapping[int, float]:
    """Return the figures by block. The control runs twice in a block: their mean is the speed between the two."""
    found: dict[int, list[float]] = {}
    for run in runs:
        if (run.architecture, run.scenario) == (architecture, scenario) and (value := of(run)):
            found.setdefault(run.block, []).append(value)
    return {block: mean_of(values) for block, values in found.items()}


@dataclass(frozen=True, slots=True)
class CapacityRatio:
    """The capacity within the main limit over that of another checkout."""

    by: Callable[[str], str]
    scenarios: tuple[str, ...] = ()

    def figure(self, findings: Findings, architecture: str) -> Figure | None:
        """Return the ratio; None if one of the searches found no rate within the limit."""
        over, under = (
            [
                rate
                for each in findings.capacities
                if each.architecture == name and (rate := each.rates_per_s.get(f"{MAIN_LIMIT_MS:g}"))
            ]
            for name in (architecture, self.by(architecture))
        )
        return Figure(mean_of(over) / mean_of(under), None, len(over)) if over and under else None


@dataclass(frozen=True, slots=True)
class DelayTime:
    """A consistency delay, milliseconds."""

    of: Callable[[Delay], float]
    load: str
    """The background load in words."""
    scenario: str

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios whose runs it uses."""
        return (self.scenario,)

    def figure(self, findings: Findings, architecture: str) -> Figure | None:
        """Return the mean over the repeats."""
        delays = [
            self.of(each)
            for each in findings.delays
            if (each.architecture, each.load) == (architecture, self.load)
        ]
        found = geometric_mean(delays)
        if found is None:
            return None
        return Figure(found.value, (found.low, found.high) if found.count > 1 else None, found.count)


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of the largest process of a kind, MiB; shared memory is divided among its users (PSS)."""

    is_counted: Callable[[str, str], bool]
    """Whether the process of an architecture and a kind counts."""
    scenario: str

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios whose runs it uses."""
        return (self.scenario,)

    def figure(self, findings: Findings, architecture: str) -> Figure | None:
        """Return the largest memory: the memory of a kind is divided by the number of its components."""
        number = findings.processes.get(architecture, {})
        runs = [
            run.memory_mib_max
            for run in findings.runs
            if (run.architecture, run.scenario) == (architecture, self.scenario) and run.memory_mib_max
        ]
        found = [
            mib / number.get(kind, 1)
            for each in runs
            for kind, mib in each.items()
            if self.is_counted(architecture, kind)
        ]
        return Figure(max(found), None, len(runs)) if found else None


Source = Ratio | CapacityRatio | DelayTime | Memory


def cpu_ms(run: Run) -> float | None:
    """Return the server CPU per acknowledged call."""
    return run.server_cpu_ms_per_transfer.total if run.server_cpu_ms_per_transfer else None


def throughput(run: Run) -> float | None:
    """Return acknowledged calls per second."""
    return run.acked_per_s


def median_ms(run: Run) -> float | None:
    """Return the median latency."""
    return run.latency_ms.p50 if run.latency_ms else None


def p50_ms(delay: Delay) -> float:
    """Return the median of a consistency delay."""
    return delay.p50


def p99_ms(delay: Delay) -> float:
    """Return the 99th percentile of a consistency delay."""
    return delay.p99


def is_service(architecture: str, kind: str) -> bool:
    """Whether a kind of component is one of the architecture's own services."""
    return kind in architectures.find(architecture).services


def is_database(_architecture: str, kind: str) -> bool:
    """Whether a kind of component is a database."""
    return kind.startswith(DATABASES)
