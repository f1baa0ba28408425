"""What the services count themselves, read from their `/metrics`: sizes of batches, messages to the broker."""

import urllib.request
from collections import defaultdict
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from wallet_lab.bench.sampler import kind_of
from wallet_lab.running.stack import RunningStack

SERVICES = {"orchestrator", "worker", "command", "relay", "projection", "query", "noop"}
TIMEOUT_S = 5.0

Counters = dict[tuple[str, str, str], float]
"""By kind of component, name of the sample, and the batcher's name (numbers left out, so replicas are summed)."""


def read_counters(stack: RunningStack) -> Counters:
    """All batch sizes counted so far."""
    found: Counters = defaultdict(float)
    for name, url in stack.urls.items():
        if kind_of(name) in SERVICES:
            for sample, batcher, value in _batch_sizes(_metrics(url)):
                found[kind_of(name), sample, kind_of(batcher)] += value
    return dict(found)


def _metrics(url: str) -> str:
    """What a service counts; nothing if it does not answer, for what it has counted is lost then."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=TIMEOUT_S) as answer:  # noqa: S310 -- our own service
            text: bytes = answer.read()
    except OSError:
        return ""
    return text.decode()


def _batch_sizes(text: str) -> list[tuple[str, str, float]]:
    return [
        (sample.name, sample.labels["batcher"], sample.value)
        for family in text_string_to_metric_families(text)
        if family.name == "wallet_batch_size"
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    ]


def batch_size_mean(before: Counters, after: Counters) -> dict[str, float]:
    """The mean size of a batch in between, by component and batcher; of those that had any."""
    batches = _grown(before, after, "wallet_batch_size_count")
    items = _grown(before, after, "wallet_batch_size_sum")
    return {
        f"{kind}: {batcher}": items[kind, batcher] / number
        for (kind, batcher), number in batches.items()
        if number > 0
    }


def groups_published(before: Counters, after: Counters) -> float | None:
    """How many groups of events the relay published in between; None where there is none."""
    return _grown(before, after, "wallet_batch_size_count").get(("relay", "groups"))


def _grown(
    before: Mapping[tuple[str, str, str], float], after: Counters, sample: str
) -> dict[tuple[str, str], float]:
    return {
        (kind, batcher): value - before.get((kind, name, batcher), 0.0)
        for (kind, name, batcher), value in after.items()
        if name == sample
    }
