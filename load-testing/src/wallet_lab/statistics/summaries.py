"""Summarises the figures of one architecture. Each interval states the coverage that it achieves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from wallet_lab.statistics.differences import COVERAGE, deviation, t_quantile

NEVER = math.inf
"""A time that was not reached before the next injection is longer than every time that was."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A typical value and its interval. An infinite value was not reached."""

    value: float
    low: float
    high: float
    coverage: float
    """Share of such intervals that contain the true value; 0 for a single figure, which has no interval."""
    count: int


def geometric_mean(values: Sequence[float]) -> Summary | None:
    """Return the geometric mean with its t interval; None without figures, or if a figure is not positive.

    It belongs to the ratios of `paired`: the quotient of two geometric means is the geometric mean ratio.
    """
    if not values or min(values) <= 0:
        return None
    logs = [math.log(value) for value in values]
    mean, count = fmean(logs), len(logs)
    if count == 1:
        return Summary(values[0], values[0], values[0], 0.0, 1)
    margin = t_quantile(count - 1) * deviation(logs, mean) / math.sqrt(count)
    return Summary(math.exp(mean), math.exp(mean - margin), math.exp(mean + margin), COVERAGE, count)


def quantile(values: Sequence[float | None], share: float = 0.5) -> Summary | None:
    """Return a quantile with an interval between two of the values, for any distribution; None without values.

    None among the values is a time that was not reached. The coverage is exact for continuous figures (binomial
    distribution), and below 95 % if even the smallest and the largest value together cover less.
    """
    if not values:
        return None
    ordered = sorted(NEVER if value is None else value for value in values)
    low, high = _ranks(len(ordered), share)
    middle = median(ordered) if share == 0.5 else ordered[math.ceil(share * len(ordered)) - 1]
    coverage = _below(high, len(ordered), share) - _below(low, len(ordered), share)
    return Summary(middle, ordered[low - 1], ordered[high - 1], coverage, len(ordered))


def _ranks(count: int, share: float) -> tuple[int, int]:
    """Return the ranks, from 1, of the interval's ends: each side misses the quantile in at most 2.5 % of cases."""
    miss = (1 - COVERAGE) / 2
    low = max((rank for rank in range(1, count + 1) if _below(rank, count, share) <= miss), default=1)
    high = min(
        (rank for rank in range(1, count + 1) if _below(rank, count, share) >= 1 - miss), default=count
    )
    return low, high


def _below(rank: int, count: int, share: float) -> float:
    """Return the probability that fewer than `rank` of `count` values are below the quantile."""
    from scipy.special import bdtr  # noqa: PLC0415 -- takes half a second, which no other command needs

    return float(bdtr(rank - 1, count, share))


def proportion(hits: int, count: int) -> Summary | None:
    """Return a share of cases with its exact interval (Clopper and Pearson 1934); None without cases."""
    from scipy.special import betaincinv  # noqa: PLC0415 -- as in `_below`

    if not count:
        return None
    miss = (1 - COVERAGE) / 2
    low = float(betaincinv(hits, count - hits + 1, miss)) if hits else 0.0
    high = float(betaincinv(hits + 1, count - hits, 1 - miss)) if hits < count else 1.0
    return Summary(hits / count, low, high, COVERAGE, count)
