"""Collects the measured figures of a report: one quantity is one figure of every architecture, block by block. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from wallet_lab.report import prices
from wallet_lab.report.model import (
    MAIN_LIMIT_MS,
    Capacity,
    Costs,
    Delay,
    FaultRun,
    Injection,
    Recovery,
    Report,
    Run,
)
from wallet_lab.report.selection import CEILING, architectures, by_architecture, is_load, missing

Better = Literal["more", "less"]
Block = tuple[int, int]
"""Block and repeat: the figures of one block are close together in time."""

AT_ONCE_MS = 1.0
"""Shorter delays count as this one in a comparison, because a ratio to a delay near zero would mean nothing."""
AT_ONCE_S = 0.1
"""Shorter outages count as this one in a comparison, for the same reason."""

Values = Mapping[Block, float | None]
"""By block, or by injection of a fault. None: a time that was not reached before the next injection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One figure of every architecture that has it."""

    key: str
    """Measure and scene, such as throughput/hot-pair."""
    scene: str
    """The load, the limit or the fault, in words."""
    unit: str
    better: Better
    values: Mapping[str, Values]
    """By architecture, the control included."""
    withheld: Mapping[str, str] = field(default_factory=dict)
    """The reason by architecture."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further information for the reader of the figure, by architecture."""
    is_contest: bool = True
    """Whether the architectures can differ in it."""
    floor: float | None = None
    """Figures below it count as this one in a comparison."""
    is_paired: bool = True
    """Whether the figures of one block belong together. Injections of different architectures do not."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a run."""

    name: str
    unit: str
    better: Better
    of: Callable[[Run], float | None]
    is_contest: bool = True
    has_control: bool = True
    """Whether the figure of the control says something about the others."""


def _total(costs: Costs | None) -> float | None:
    """Return the total; None for 0 too, because reads write nothing and 0 has no ratio."""
    return costs.total or None if costs else None


def _cpu_hours(run: Run) -> float | None:
    """Return the CPU time; None if the clients pause, because idle processes would take most of it."""
    total = None if is_paced(run) else _total(run.server_cpu_ms_per_transfer)
    return None if total is None else prices.cpu_hours(total)


def _gib(run: Run) -> float | None:
    total = None if is_paced(run) else _total(run.disk_bytes_per_transfer)
    return None if total is None else prices.gib(total)


def _usd(run: Run) -> float | None:
    hours, gib = _cpu_hours(run), _gib(run)
    return None if hours is None else prices.usd(hours, gib or 0.0)


def _closed_rate(run: Run) -> float | None:
    """Return the throughput of a closed loop; a fixed arrival rate says nothing about the architecture."""
    return run.acked_per_s if run.offered_per_s is None else None


def _open_ms(share: str, run: Run) -> float | None:
    """Return a latency of a load below saturation; in a closed loop, latency only repeats the throughput."""
    below = run.offered_per_s is not None or is_paced(run)
    return getattr(run.latency_ms, share) if below and run.latency_ms else None


def is_paced(run: Run) -> bool:
    """Whether the clients' pauses fix the throughput; older reports show it only by the name."""
    return run.paced or run.scenario in _PACED


def _reads_rate(run: Run) -> float | None:
    return run.reads.acked_per_s if run.reads else None


_PACED = frozenset({"normal", "highload"})
P50 = Measure("p50", "ms, half of the calls", "less", partial(_open_ms, "p50"))
P99 = Measure("p99", "ms, 99 % of the calls", "less", partial(_open_ms, "p99"))
THROUGHPUT = Measure("throughput", "acknowledged calls per second", "more", _closed_rate)
READS = Measure("reads", "acknowledged calls per second", "more", _reads_rate)
# The price judges both, so that one difference does not count three times.
CPU = Measure("cpu", "CPU-hours per million calls", "less", _cpu_hours, is_contest=False)
WRITTEN = Measure("written", "GiB written per million calls", "less", _gib, is_contest=False)
PRICE = Measure("price", "USD per million calls", "less", _usd, has_control=False)


def of_loads(report: Report, measure: Measure) -> list[Quantity]:
    """Return the measure for every load that has it; the way through the gateway is a load of its own."""
    loads = [run for run in report.runs if is_load(run)]
    found = [_of_load(loads, measure, scene) for scene in dict.fromkeys(map(scene_of, loads))]
    return [each for each in found if any(each.values.values())]


def scene_of(run: Run) -> str:
    """Return the load of a run in words, with the way that its clients took."""
    return run.scenario if run.route == "direct" else f"{run.scenario}, through the {run.route}"


def runs_of(report: Report, quantity: Quantity, architecture: str) -> list[Run]:
    """Return the runs of one architecture that have the quantity of a load."""
    return [
        run
        for run in report.runs
        if is_load(run)
        and not run.again
        and (scene_of(run), run.architecture) == (quantity.scene, architecture)
    ]


def _of_load(loads: list[Run], measure: Measure, scene: str) -> Quantity:
    shown = (run for run in loads if measure.has_control or run.architecture != CEILING)
    runs = by_architecture(run for run in shown if scene_of(run) == scene)
    paced = any(is_paced(run) for each in runs.values() for run in each)
    withheld = {name: why for name, each in runs.items() if (why := missing(each))}
    return Quantity(
        key=f"{measure.name}/{scene}",
        scene=f"{scene}, its reads" if measure is READS else scene,
        unit=measure.unit,
        better=measure.better,
        values={name: {} if name in withheld else _by_block(each, measure.of) for name, each in runs.items()},
        withheld=withheld,
        notes={name: note for name, each in runs.items() if (note := _never_sent(each))},
        is_contest=measure.is_contest and not (measure is THROUGHPUT and paced),
    )


def _by_block(runs: Iterable[Run], of: Callable[[Run], float | None]) -> dict[Block, float]:
    return {(run.block, run.repeat): v for run in runs if not run.again and (v := of(run)) is not None}


def _never_sent(runs: list[Run]) -> str:
    """Return the share of arrivals that found no free client: their latency is not in the figures."""
    dropped = sum(run.dropped_iterations or 0 for run in runs if run.offered_per_s)
    arrivals = sum(run.offered_per_s * run.duration_s for run in runs if run.offered_per_s)
    return f"{dropped / arrivals:.1%} never sent".replace("%", " %") if dropped and arrivals else ""


def of_capacities(report: Report) -> list[Quantity]:
    """Return the highest rates within each limit of latency, the strictest limit first.

    Only at the limit of the search are they capacities and a contest; at the others, the capacity can be higher.
    """
    limits = {limit for each in report.capacities for limit in each.rates_per_s}
    return [
        _of_capacity(report, limit, route)
        for route in dict.fromkeys(each.route for each in report.capacities)
        for limit in sorted(limits, key=float)
    ]


def _of_capacity(report: Report, limit: str, route: str) -> Quantity:
    found = by_architecture(each for each in report.capacities if each.route == route)
    withheld = {name: why for name, each in found.items() if (why := missing(each) or _unmet(each, limit))}
    is_searched = float(limit) == MAIN_LIMIT_MS
    scene = f"p99 ≤ {limit} ms" + ("" if route == "direct" else ", through the gateway")
    return Quantity(
        key=f"capacity/{scene}",
        scene=scene if is_searched else f"{scene}, at least",
        unit="transfers per second",
        better="more",
        values={
            name: {} if name in withheld else {(0, each.repeat): each.rates_per_s[limit] for each in searches}
            for name, searches in found.items()
        },
        withheld=withheld,
        is_contest=is_searched,
    )


def _unmet(searches: list[Capacity], limit: str) -> str:
    """Return a sentence if some search found no rate within the limit; the other searches alone would be too good."""
    without = sum(limit not in each.rates_per_s for each in searches if each.verdict == "passed")
    return f"no tried rate met the limit in {without} of {len(searches)} searches" if without else ""


def of_delays(report: Report) -> list[Quantity]:
    """Return the median time until a read shows a write, by load."""
    loads = dict.fromkeys(each.load for each in report.consistency_delay_ms)
    return [_of_delay(report, load, "delay", lambda delay: delay.p50) for load in loads]


def of_fresh_reads(report: Report) -> list[Quantity]:
    """Return the price of a read that must show one's own write: its median minus that of a plain read."""
    loads = dict.fromkeys(each.load for each in report.consistency_delay_ms if _fresh_ms(each) is not None)
    return [_of_delay(report, load, "fresh-read", _fresh_ms) for load in loads]


def _fresh_ms(delay: Delay) -> float | None:
    if delay.plain_read_ms is None or delay.fresh_read_ms is None:
        return None
    return delay.fresh_read_ms.p50 - delay.plain_read_ms.p50


def _of_delay(report: Report, load: str, name: str, of: Callable[[Delay], float | None]) -> Quantity:
    values = {
        architecture: {
            (0, delay.repeat): value
            for delay in report.consistency_delay_ms
            if (delay.architecture, delay.load) == (architecture, load) and (value := of(delay)) is not None
        }
        for architecture in architectures(report)
    }
    return Quantity(
        key=f"{name}/{load}",
        scene=load,
        unit="ms, median",
        better="less",
        values={architecture: each for architecture, each in values.items() if each},
        floor=AT_ONCE_MS,
    )


def of_outages(report: Report) -> list[Quantity]:
    """Return the time without a success among the calls that need the victim, by the victim's role."""
    return _of_faults(report, "outage", lambda each: each.outage_s)


def of_old_recoveries(report: Report) -> list[Quantity]:
    """Return the time to the first success in reports that have one injection per run."""
    hits = dict.fromkeys(each.hits for each in report.recovery if each.hits)
    found = [_of_recovery(report, hit) for hit in hits]
    return [
        each for each in found if any(v is not None for row in each.values.values() for v in row.values())
    ]


def _of_recovery(report: Report, hit: str) -> Quantity:
    found = by_architecture(each for each in report.recovery if each.hits == hit)
    values = {name: {(0, r.repeat): r.first_success_s for r in each} for name, each in found.items()}
    return _seconds(f"first-success/{hit}", hit, found, values)


def _of_faults(report: Report, name: str, of: Callable[[Injection], float | None]) -> list[Quantity]:
    return [_of_fault(report, hit, name, of) for hit in dict.fromkeys(run.hits for run in report.faults)]


def _of_fault(report: Report, hit: str, name: str, of: Callable[[Injection], float | None]) -> Quantity:
    found = by_architecture(run for run in report.faults if run.hits == hit)
    values = {
        architecture: {
            (place, number): of(each)
            for place, run in enumerate(runs)
            for number, each in enumerate(run.injections)
        }
        for architecture, runs in found.items()
    }
    return _seconds(f"{name}/{hit}", hit, found, values)


def _seconds(
    key: str, hit: str, found: Mapping[str, Sequence[FaultRun | Recovery]], values: Mapping[str, Values]
) -> Quantity:
    withheld = {name: why for name, each in found.items() if (why := missing(each))}
    return Quantity(
        key=key,
        scene=hit,
        unit="seconds",
        better="less",
        values={name: each for name, each in values.items() if name not in withheld},
        withheld=withheld,
        floor=AT_ONCE_S,
        is_paired=False,
    )


def of_everything(report: Report) -> list[Quantity]:
    """Return all quantities: the comparisons of the report."""
    loads = [
        each
        for measure in (P50, P99, THROUGHPUT, READS, CPU, WRITTEN, PRICE)
        for each in of_loads(report, measure)
    ]
    others = (of_capacities, of_delays, of_fresh_reads, of_outages, of_old_recoveries)
    return [*loads, *(each for collect in others for each in collect(report))]
