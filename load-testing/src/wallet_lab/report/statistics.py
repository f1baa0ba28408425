"""Medians over repeats, and their certainty.

There are few runs, and the speed of a shared machine drifts. So the code assumes no distribution, and compares the
architectures repeat by repeat, because the runs of one repeat are close together in time.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

BOOTSTRAP_FROM = 5
"""With fewer repeats, resampling suggests more precision than there is. The lowest and highest values are shown
instead."""
RESAMPLES = 2000
COVERAGE = 0.95
LIKELY_FROM = 3
WORTH_NAMING = 1.05
"""A smaller ratio is of no practical use, however certain it is."""

Certainty = Literal["clear", "likely", "hint", "none"]
"""clear: the interval of five or more repeats excludes chance. likely: three or four repeats all agree. hint: fewer
repeats. none: the repeats do not agree on a difference."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median over repeats and its interval: bootstrapped from 5 repeats on, else lowest to highest."""

    median: float
    low: float
    high: float
    repeats: int

    @property
    def method(self) -> str:
        """Describe how the interval was computed."""
        if self.repeats == 1:
            return "one run, no interval"
        if self.repeats < BOOTSTRAP_FROM:
            return f"lowest and highest of {self.repeats} runs"
        return f"95 % bootstrap interval of the median of {self.repeats} runs"


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the median of repeats with its interval; None if there are none."""
    if not values:
        return None
    low, high = (min(values), max(values)) if len(values) < BOOTSTRAP_FROM else _bootstrap(values)
    return Estimate(median(values), low, high, len(values))


def _bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """Return the percentile interval of the median (Efron 1979), seeded so that a report is reproducible."""
    draws = random.Random(1)
    medians = sorted(median(draws.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = round(RESAMPLES * (1 - COVERAGE) / 2)
    return medians[tail], medians[-tail - 1]


def paired_ratio(over: Mapping[int, float], under: Mapping[int, float]) -> Estimate | None:
    """Return the ratio of `over` to `under` by repeat; None if no repeat has both, or a value is 0."""
    both = sorted(over.keys() & under.keys())
    if any(under[repeat] <= 0 or over[repeat] <= 0 for repeat in both):
        return None
    return estimate([over[repeat] / under[repeat] for repeat in both])


def certainty(ratio: Estimate) -> Certainty:
    """Return how certain it is that a ratio is not 1."""
    if ratio.low <= 1 <= ratio.high and ratio.repeats > 1:
        return "none"
    if 1 / WORTH_NAMING < ratio.median < WORTH_NAMING:
        return "none"
    if ratio.repeats < LIKELY_FROM:
        return "hint"
    return "likely" if ratio.repeats < BOOTSTRAP_FROM else "clear"
