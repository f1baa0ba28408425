"""Compares two architectures in one figure: a ratio, its interval, and the two p values that a verdict needs.

The figures of one block are close together in time, so only they are divided by each other. The logarithms of these
ratios are averaged, because "twice" and "half" then cancel each other.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

COVERAGE = 0.95
"""Share of intervals that contain the true ratio."""

BAND = 1.10
"""Two architectures whose true ratio is between 1/1.10 and 1.10 are equal for all practical purposes."""

Block = TypeVar("Block", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Difference:
    """The ratio of one architecture's figure to another's."""

    ratio: float
    low: float
    high: float
    """The interval's ends. A single block has no interval: 0 and infinity."""
    count: int
    """Number of blocks; for recovery times, the number of injections of the architecture with fewer of them."""
    p_different: float
    """Probability of a ratio at least so far from 1, if there is no difference."""
    p_equal: float
    """Probability of a ratio at least so close to 1, if the true one is at an edge of the band or beyond."""
    at_least: bool = False
    """Whether figures below the floor were raised to it. Differences below the floor do not matter."""

    def inverse(self) -> "Difference":
        """Return the same difference with the two architectures exchanged."""
        return Difference(
            ratio=_inverse(self.ratio),
            low=_inverse(self.high),
            high=_inverse(self.low),
            count=self.count,
            p_different=self.p_different,
            p_equal=self.p_equal,
            at_least=self.at_least,
        )


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio else math.inf


def paired(
    over: Mapping[Block, float | None], under: Mapping[Block, float | None], *, floor: float | None = None
) -> Difference | None:
    """Return the ratio of `over` to `under`, by block, with Student's t interval of the mean logarithm.

    A figure is None if it was withheld or not measured; its block does not count. A figure below `floor` counts as the
    floor. Returns None if no block has both figures, or if a figure is 0 or negative, because it has no ratio.
    """
    pairs = [
        (a, b) for block in over if (a := over[block]) is not None and (b := under.get(block)) is not None
    ]
    if floor is not None:
        pairs = [(max(a, floor), max(b, floor)) for a, b in pairs]
    if not pairs or any(a <= 0 or b <= 0 for a, b in pairs):
        return None
    raised = floor is not None and any(floor in pair for pair in pairs)
    return _difference([math.log(a) - math.log(b) for a, b in pairs], at_least=raised)


def _difference(logs: list[float], *, at_least: bool) -> Difference:
    """Return the one-sample t interval and tests (Student 1908) and the two one-sided tests (Schuirmann 1987)."""
    mean, count = fmean(logs), len(logs)
    if count == 1:
        return Difference(math.exp(mean), 0.0, math.inf, 1, 1.0, 1.0, at_least)
    error = deviation(logs, mean) / math.sqrt(count)
    margin = t_quantile(count - 1) * error
    edge = math.log(BAND)
    return Difference(
        ratio=math.exp(mean),
        low=math.exp(mean - margin),
        high=math.exp(mean + margin),
        count=count,
        p_different=2 * _t_tail(abs(mean), error, count - 1),
        p_equal=_t_tail(edge - abs(mean), error, count - 1),
        at_least=at_least,
    )


def deviation(logs: list[float], mean: float) -> float:
    """Return the standard deviation of a sample of at least two values."""
    return math.sqrt(math.fsum((log - mean) ** 2 for log in logs) / (len(logs) - 1))


def _t_tail(distance: float, error: float, freedom: int) -> float:
    """Return the probability that a t statistic exceeds distance / error. Without any noise, the answer is certain."""
    from scipy.special import stdtr  # noqa: PLC0415 -- takes half a second, which no other command needs

    if error == 0:
        return 0.5 if distance == 0 else float(distance < 0)
    return float(stdtr(freedom, -distance / error))


def t_quantile(freedom: int) -> float:
    """Return how many standard errors an interval extends to each side."""
    from scipy.special import stdtrit  # noqa: PLC0415 -- as in `_t_tail`

    return float(stdtrit(freedom, (1 + COVERAGE) / 2))
