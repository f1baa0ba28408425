"""The report's figures: one function per figure, from a report to an exhibit."""

from collections.abc import Callable

from wallet_lab.report.charts.audits import audits
from wallet_lab.report.charts.costs import cpu, disk, network
from wallet_lab.report.charts.delay import delay
from wallet_lab.report.charts.distribution import latency_distribution
from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.outcomes import outcomes
from wallet_lab.report.charts.recovery import recovery
from wallet_lab.report.charts.scenarios import latency, throughput
from wallet_lab.report.charts.summary import summary
from wallet_lab.report.charts.sweep import sweep
from wallet_lab.report.model import Report

__all__ = ["FIGURES", "Exhibit", "summary"]

FIGURES: tuple[Callable[[Report], Exhibit | None], ...] = (
    throughput,
    latency,
    latency_distribution,
    sweep,
    delay,
    recovery,
    cpu,
    disk,
    network,
    outcomes,
    audits,
)
"""In the order of the page. A function without data returns None."""
