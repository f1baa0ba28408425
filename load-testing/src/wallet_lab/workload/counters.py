"""Reads the services' own counters from `/metrics`: batch sizes and broker messages."""

import urllib.request
from collections import defaultdict
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.sampler import kind_of

TIMEOUT_S = 5.0

Counters = dict[tuple[str, str, str], float]
"""Key: kind of component, sample name, batcher name without numbers (so replicas are summed)."""


def read_counters(stack: RunningStack) -> Counters:
    """Read all counters of the stack."""
    found: Counters = defaultdict(float)
    for name, url in stack.urls.items():
        if kind_of(name) in stack.adapter.services:
            for sample, batcher, value in _batch_sizes(metrics_of(url)):
                found[kind_of(name), sample, kind_of(batcher)] += value
    return dict(found)


def metrics_of(url: str) -> str:
    """Read a service's metrics; empty if it does not answer, because its counts are lost then."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=TIMEOUT_S) as answer:  # noqa: S310 -- the stack's own service
            text: bytes = answer.read()
    except OSError:
        return ""
    return text.decode()


def samples(text: str, family: str) -> list[Sample]:
    """Return the samples of one metric. To parse all metrics of a service would take 40 ms."""
    lines = [line for line in text.splitlines() if line.startswith((family, f"# TYPE {family}"))]
    return [
        sample
        for found in text_string_to_metric_families("\n".join(lines) + "\n")
        if found.name == family
        for sample in found.samples
    ]


def _batch_sizes(text: str) -> list[tuple[str, str, float]]:
    return [
        (sample.name, sample.labels["batcher"], sample.value)
        for sample in samples(text, "wallet_batch_size")
        if not sample.name.endswith("_bucket")
    ]


def batch_size_mean(before: Counters, after: Counters) -> dict[str, float]:
    """Return the mean batch size between two readings, by component and batcher; idle batchers are left out."""
    batches = _grown(before, after, "wallet_batch_size_count")
    items = _grown(before, after, "wallet_batch_size_sum")
    return {
        f"{kind}: {batcher}": items[kind, batcher] / number
        for (kind, batcher), number in batches.items()
        if number > 0
    }


def messages_published(stack: RunningStack, before: Counters, after: Counters) -> float | None:
    """Return how many messages the broker received between two readings; None without a broker."""
    published = stack.adapter.published
    batches = _grown(before, after, "wallet_batch_size_count").get(published) if published else None
    # Each batch goes to every shard.
    return None if batches is None else batches * stack.shards


def _grown(
    before: Mapping[tuple[str, str, str], float], after: Counters, sample: str
) -> dict[tuple[str, str], float]:
    return {
        (kind, batcher): value - before.get((kind, name, batcher), 0.0)
        for (kind, name, batcher), value in after.items()
        if name == sample
    }
