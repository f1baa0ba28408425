"""Compares recovery times of two architectures. An injection of one has no partner in the other, so ranks decide."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import median

from wallet_lab.statistics.differences import BAND, COVERAGE, Difference
from wallet_lab.statistics.summaries import NEVER


def unpaired(
    over: Sequence[float | None], under: Sequence[float | None], *, floor: float
) -> Difference | None:
    """Return the ratio of times `over` to `under` (Hodges and Lehmann 1963), tested with Mann and Whitney's test.

    None among the times is one that was not reached before the next injection: it ranks after all others. A time below
    `floor`, the resolution of the measurement in seconds, counts as the floor. Returns None if one side has no times,
    or if a time is 0 and there is no floor.
    """
    if not over or not under or (floor <= 0 and any(time == 0 for time in (*over, *under))):
        return None
    first, second = (_logs(times, floor) for times in (over, under))
    ratios = sorted(_minus(a, b) for a in first for b in second)
    outside = _ratios_outside(len(first), len(second))
    return Difference(
        ratio=_ratio(median(ratios)),
        low=_ratio(ratios[outside - 1]) if outside else 0.0,
        high=_ratio(ratios[-outside]) if outside else math.inf,
        count=min(len(first), len(second)),
        p_different=_p(first, second, "two-sided"),
        p_equal=_p_equal(first, second),
        at_least=any(time is not None and time < floor for time in (*over, *under)),
    )


def _logs(times: Sequence[float | None], floor: float) -> list[float]:
    return [NEVER if time is None else math.log(max(time, floor)) for time in times]


def _minus(a: float, b: float) -> float:
    """Return a - b; 0 if both times were not reached."""
    return 0.0 if a == b else a - b


def _ratio(log: float) -> float:
    return math.inf if log == math.inf else math.exp(log)


def _p(first: list[float], second: list[float], alternative: str) -> float:
    """Return the p value of Mann and Whitney's test: exact, except for equal values."""
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 -- takes a second, which no other command needs

    if len({*first, *second}) == 1:
        return 1.0
    method = "exact" if len({*first, *second}) == len(first) + len(second) else "asymptotic"
    return float(mannwhitneyu(first, second, alternative=alternative, method=method).pvalue)


def _p_equal(first: list[float], second: list[float]) -> float:
    """Return the larger p value of two one-sided tests, with the times moved to the edges of the band."""
    edge = math.log(BAND)
    above = _p([time + edge for time in first], second, "greater")
    below = _p([time - edge for time in first], second, "less")
    return max(above, below)


def _ratios_outside(first: int, second: int) -> int:
    """Return how many of the sorted ratios lie outside of the interval, on each side; 0 if there is no interval."""
    orders, found = math.comb(first + second, first), 0.0
    for outside in range(first * second):
        found += _orders(first, second, outside) / orders
        if found > (1 - COVERAGE) / 2:
            return outside
    return 0


@cache
def _orders(first: int, second: int, smaller: int) -> int:
    """Count the orders of both samples in which a value of the first is smaller in `smaller` of all pairs."""
    if smaller < 0 or not (first and second):
        return int(smaller == 0)
    return _orders(first - 1, second, smaller - second) + _orders(first, second - 1, smaller)
