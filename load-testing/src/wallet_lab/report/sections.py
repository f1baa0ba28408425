"""The sections of the page, in the order of a reader's questions, with their figures and tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wallet_lab.report import prices
from wallet_lab.report import quantities as of
from wallet_lab.report.charts.audits import audits
from wallet_lab.report.charts.capacity_model import component_limits, needs
from wallet_lab.report.charts.costs import cpu, written
from wallet_lab.report.charts.curves import delay_distribution, latency_distribution
from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.faults import affected_calls, recovery_times
from wallet_lab.report.charts.outcomes import outcomes
from wallet_lab.report.charts.plain import hops, properties, size
from wallet_lab.report.charts.rates import rates
from wallet_lab.report.charts.strips import strips
from wallet_lab.report.charts.sustained import sustained
from wallet_lab.report.model import MAIN_LIMIT_MS, Report
from wallet_lab.report.verdicts import Contests, contests


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    anchor: str
    title: str
    lead: str
    exhibits: Sequence[Exhibit]


def sections(report: Report) -> list[Section]:
    """Return all sections; one without data has no exhibits."""
    judged = contests(of.of_everything(report))
    return [make(report, judged) for make in _SECTIONS]


def _section(anchor: str, title: str, lead: str, *exhibits: Exhibit | None) -> Section:
    return Section(anchor, title, lead, [each for each in exhibits if each])


def _speed(report: Report, judged: Contests) -> Section:
    per_block = "A point is one block. A thick line is the 95 % interval of the mean, the number at the right the mean."
    return _section(
        "speed",
        "Speed below saturation",
        "Transfers arrive at a rate that every architecture can serve. So latency shows the work of one transfer, "
        "and not the length of a queue.",
        strips("latency-median", "Median latency", per_block, of.of_loads(report, of.P50), judged),
        strips("latency", "Latency of the slowest 1 %", per_block, of.of_loads(report, of.P99), judged),
        latency_distribution(report),
    )


def _capacity(report: Report, judged: Contests) -> Section:
    searched = (
        "The highest arrival rate within the limit and with less than 0.1 % failed. A point is one search. "
        f"A search looks only for the capacity at {MAIN_LIMIT_MS:g} ms. Each rate at another limit is the highest one "
        "within it among the rates that the search tried, so the capacity there can be higher. It gets no verdict."
    )
    closed = (
        "Each of a fixed number of clients sends its next call when its last one is answered. "
        "The control does no work."
    )
    at_most = [*of.of_loads(report, of.THROUGHPUT), *of.of_loads(report, of.READS)]
    return _section(
        "limits",
        "Capacity",
        "How many transfers per second an architecture serves before latency exceeds a limit, and how many at most.",
        strips("capacity", "Capacity within a limit of latency", searched, of.of_capacities(report), judged),
        rates(report),
        strips("throughput", "Throughput without a limit of latency", closed, at_most, judged),
        sustained(report),
    )


def _cost(report: Report, judged: Contests) -> Section:
    return _section(
        "costs",
        "Cost per million calls",
        prices.FORMULA,
        strips(
            "price", "Price", prices.FORMULA.partition(". ")[0] + ".", of.of_loads(report, of.PRICE), judged
        ),
        cpu(report),
        written(report),
    )


def _capacity_model(report: Report, judged: Contests) -> Section:
    del judged
    return _section(
        "capacity-model",
        "Capacity model",
        "How many cores and machines a rate beyond this machine needs, and which component saturates first. "
        "This is a computation from measured costs, not a measurement.",
        needs(report),
        component_limits(report),
    )


def _consistency(report: Report, judged: Contests) -> Section:
    delay = (
        "The median time from the response to a write until a read shows the write. "
        f"Times below {of.AT_ONCE_MS:g} ms count as {of.AT_ONCE_MS:g} ms."
    )
    price = "The median latency of a read that must show its client's last write, minus that of a plain read."
    return _section(
        "consistency",
        "Consistency",
        "The time until a reader sees a write, and the cost of a read that must show it.",
        strips("delay", "Consistency delay", delay, of.of_delays(report), judged),
        delay_distribution(report),
        hops(report),
        strips("fresh-reads", "Extra latency of a fresh read", price, of.of_fresh_reads(report), judged),
    )


def _faults(report: Report, judged: Contests) -> Section:
    point = (
        "A point is one injection. A thick line is the interval of the median, the number at the right is the median. "
        f"Times below {of.AT_ONCE_S:g} s count as {of.AT_ONCE_S:g} s."
    )
    outage = f"The time in which calls that need the broken component were affected and none of them succeeded. {point}"
    success = f"The time from the fault to the first success of a call that was sent after the first failure. {point}"
    return _section(
        "availability",
        "Availability under faults",
        "A component is killed, paused or disconnected under a load with a fixed arrival rate. Faults of different "
        "architectures are compared if they hit the same role.",
        strips("outage", "Outage", outage, of.of_outages(report), judged),
        strips("first-success", "First success", success, of.of_old_recoveries(report), judged),
        recovery_times(report),
        affected_calls(report),
    )


def _safeguards(report: Report, judged: Contests) -> Section:
    del report, judged
    return _section("safeguards", "Price of the safeguards", "")


def _size(report: Report, judged: Contests) -> Section:
    del judged
    return _section(
        "parts",
        "Size and parts to operate",
        "The parts that a team operates and the code that it reads. These figures are counted, not measured.",
        size(report),
        properties(report),
    )


def _proof(report: Report, judged: Contests) -> Section:
    del judged
    return _section(
        "proof",
        "Outcomes and audits",
        "The responses to clients, and whether the books agree with them.",
        outcomes(report),
        audits(report),
    )


_SECTIONS: tuple[Callable[[Report, Contests], Section], ...] = (
    _speed,
    _capacity,
    _cost,
    _capacity_model,
    _consistency,
    _faults,
    _safeguards,
    _size,
    _proof,
)
