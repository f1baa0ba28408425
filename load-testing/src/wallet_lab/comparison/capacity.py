"""Chooses the arrival rates of a search for the capacity, and reads the result. Pure.

The capacity is the highest arrival rate with a 99th percentile of the latency within a limit and with less than 0.1 %
of the arrivals failed. The search raises the rate by a factor until it misses the limit. Then it tries
the geometric mean of the bounds. If the first probe misses, the search repeats it once before it lowers the rate.
Otherwise one slow moment of the machine would end in a capacity that is far too low.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wallet_lab.report.model import FAILED_SHARE_MAX, LIMITS_MS, MAIN_LIMIT_MS, Probe

GROWTH = 1.6
"""The factor between rates while one of the bounds is unknown."""
LATER_GROWTH = 1.2
"""The same in a search that starts near the capacity that an earlier one found."""
RATE_MIN_PER_S = 10.0
RATE_MAX_PER_S = 50_000.0
PROBES_MAX = 12
CLIENTS_MIN = 50
CLIENTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """The result of the probes so far about the capacity."""

    met: float | None
    """The highest rate that met the limit."""
    missed: float | None
    """The lowest rate above it that did not."""


def next_rate(
    probes: Sequence[Probe], start: float, resolution: float, growth: float = GROWTH
) -> float | None:
    """Return the arrival rate of the next probe; None at the end.

    Args:
        probes: the probes so far.
        start: the first rate.
        resolution: the search ends when the bounds of the capacity differ by at most this factor.
        growth: the factor between rates while one of the bounds is unknown.
    """
    if len(probes) >= PROBES_MAX:
        return None
    if len(probes) == 1 and not meets(probes[0], MAIN_LIMIT_MS):
        return start
    rate = _wanted(bounds(probes), start, resolution, growth)
    return rate if rate is not None and RATE_MIN_PER_S <= rate <= RATE_MAX_PER_S else None


def _wanted(known: Bounds, start: float, resolution: float, growth: float) -> float | None:
    if known.met is None and known.missed is None:
        return start
    if known.met is None or known.missed is None:
        return known.met * growth if known.met is not None else (known.missed or start) / growth
    return None if known.missed / known.met <= resolution else math.sqrt(known.met * known.missed)


def bounds(probes: Sequence[Probe], limit_ms: float = MAIN_LIMIT_MS) -> Bounds:
    """Return the bounds of the capacity at a limit. Of contradicting probes, the best one counts."""
    met = max((probe.rate_per_s for probe in probes if meets(probe, limit_ms)), default=None)
    above = [each.rate_per_s for each in probes if not meets(each, limit_ms) and each.rate_per_s > (met or 0)]
    return Bounds(met, min(above, default=None))


def meets(probe: Probe, limit_ms: float) -> bool:
    """Whether a probe kept the limit on latency and on failed arrivals."""
    is_fast = probe.p99_ms is not None and probe.p99_ms <= limit_ms
    return is_fast and probe.failed_share < FAILED_SHARE_MAX


def rates_per_s(probes: Sequence[Probe]) -> dict[str, float]:
    """Return the highest tried rate by the limit that it met: at `MAIN_LIMIT_MS` the capacity, else at most that."""
    found = {f"{limit:g}": bounds(probes, limit).met for limit in LIMITS_MS}
    return {limit: rate for limit, rate in found.items() if rate is not None}


def clients_for(rate_per_s: float, patience_s: float = 0.15) -> int:
    """Return the number of clients for an arrival rate.

    If all are busy, calls take longer than `patience_s` on average, and k6 drops arrivals, which count as failed. The
    default is above the loosest limit on latency, so the number of clients never decides the capacity.
    """
    return min(CLIENTS_MAX, max(CLIENTS_MIN, math.ceil(rate_per_s * patience_s)))
