"""Formats figures for readers: three digits, a unit and an interval."""

import math
from collections.abc import Iterable

from wallet_lab.statistics.differences import Difference
from wallet_lab.statistics.summaries import Summary

TITLE = "Wallet architectures, compared"
NOT_MEASURED = (
    "Several machines: all processes, k6 included, ran on this machine and shared its cores.",
    "Power loss, full disks and slow disks: faults hit processes and their connections, never the machine.",
    "Hours of load: caches, tables and logs are only as large as they become within minutes.",
    "Equal failures: the same role serves a part of the wallets in one architecture, and all of them in another.",
)
NOTHING = "–"


def number(value: float | None) -> str:
    """Round to three significant digits, with separated thousands."""
    if value is None:
        return NOTHING
    if value == math.inf:
        return "not reached"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.3g}"


def typical(summary: Summary, floor: float | None = None) -> str:
    """Format the typical value; one that counts as the floor is at most the floor."""
    if floor is not None and summary.value <= floor:
        return f"≤ {number(floor)}"
    return number(summary.value)


def with_interval(summary: Summary | None, floor: float | None = None) -> str:
    """Format the typical value and its interval."""
    if summary is None:
        return NOTHING
    value, low, high = typical(summary, floor), number(summary.low), number(summary.high)
    if summary.count == 1 or (floor is not None and summary.high <= floor):
        return value
    return f"{value} ({low}–{high})"


def ratio_in_words(difference: Difference) -> str:
    """Format a ratio and its interval."""
    ratio = f"{'at least ' if difference.at_least else ''}{_factor(difference.ratio)}×"
    if difference.count == 1:
        return ratio
    return f"{ratio} ({_factor(difference.low)}–{_factor(difference.high)})"


def _factor(value: float) -> str:
    if value == math.inf:
        return "∞"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence, such as "a, b or c"."""
    *first, last = names
    return " or ".join([", ".join(first), last] if first else [last])
