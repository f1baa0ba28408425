"""Reads how long writes take from hop to hop on their way to readers, from the services' own histograms."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from wallet_lab.architectures.adapter import Hop
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.counters import metrics_of, samples
from wallet_lab.workload.sampler import kind_of

Buckets = Mapping[float, float]
"""Upper bound in seconds: number of writes within it."""


def read_hops(stack: RunningStack) -> dict[str, Buckets]:
    """Read the histogram of each hop, summed over replicas."""
    return {hop.name: _buckets(stack, hop) for hop in stack.adapter.hops}


def _buckets(stack: RunningStack, hop: Hop) -> Buckets:
    found: dict[float, float] = defaultdict(float)
    for name, url in stack.urls.items():
        if kind_of(name) == hop.kind:
            for sample in samples(metrics_of(url), hop.histogram):
                if sample.name.endswith("_bucket"):
                    found[float(sample.labels["le"])] += sample.value
    return dict(found)


def hop_medians_ms(
    hops: Iterable[str], before: Mapping[str, Buckets], after: Mapping[str, Buckets]
) -> dict[str, float]:
    """Return the median of each hop in milliseconds: the time since the hop before it. Pure.

    Empty if a hop saw no write between the two readings.
    """
    found: dict[str, float] = {}
    reached_s = 0.0
    for name in hops:
        counts = {bound: number - before[name].get(bound, 0.0) for bound, number in after[name].items()}
        if (median_s := median(counts)) is None:
            return {}
        found[name] = 1000 * max(0.0, median_s - reached_s)
        reached_s = max(reached_s, median_s)
    return found


def median(cumulative: Buckets) -> float | None:
    """Return the median of a histogram, by linear interpolation within its bucket; None if it is empty. Pure."""
    total = max(cumulative.values(), default=0.0)
    below, low = 0.0, 0.0
    for bound in sorted(cumulative):
        number = cumulative[bound]
        if total and number >= total / 2:
            inside = number - below
            is_open = bound == float("inf")
            return low if is_open or not inside else low + (bound - low) * (total / 2 - below) / inside
        below, low = number, bound
    return None
