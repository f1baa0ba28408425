"""Traces: one transfer is one trace across all services and the broker."""

import time

import pytest

from tests.monitoring.collector import Collector, Span
from tests.monitoring.conftest import TRACED_SHARE
from tests.monitoring.watched import PrometheusApi
from wallet_kernel.ids import new_transaction_id

pytestmark = pytest.mark.slow

WAYS = {
    "saga": [
        ("orchestrator", "transfer"),
        ("orchestrator", "Debit"),
        ("orchestrator", "Credit"),
        ("worker-0", "steps at the shard"),
        ("worker-1", "steps at the shard"),
    ],
    "cqrs": [
        ("command", "transfer"),
        ("command", "append"),
        ("relay", "publish"),
        ("projection", "project"),
    ],
}
"""The service and name of every span of a transfer between two shards."""


def services_and_names(spans: list[Span]) -> set[tuple[str, str]]:
    """The service and name of each span."""
    return {(span.service, span.name) for span in spans}


@pytest.mark.parametrize("architecture", WAYS)
def test_one_transfer_is_one_trace(architecture: str, watched: PrometheusApi, collector: Collector) -> None:
    """Every service on the way sends spans of the transfer. They share one root, and none begins before it."""
    way = set(WAYS[architecture])
    deadline = time.monotonic() + 20
    while not (whole := [spans for spans in collector.traces().values() if services_and_names(spans) >= way]):
        assert time.monotonic() < deadline, [
            services_and_names(spans) for spans in collector.traces().values()
        ][:5]
        time.sleep(0.2)
    for spans in whole:
        (root,) = [span for span in spans if not span.parent]
        assert (root.service, root.name) in way
        assert {span.parent for span in spans if span != root} == {root.id}
        assert all(root.begin_ns <= span.end_ns for span in spans)


def test_all_services_trace_the_same_transfers(watched: PrometheusApi, collector: Collector) -> None:
    """All services trace the same share of transfers, chosen by the transaction id."""
    random_bits = [transaction_id.int % 2**62 / 2**62 for transaction_id in collector.traces()]
    assert len(random_bits) > 10
    assert max(random_bits) < TRACED_SHARE
    drawn = [new_transaction_id("anyone").int % 2**62 / 2**62 for _ in range(2000)]
    assert 0.5 * TRACED_SHARE < sum(bits < TRACED_SHARE for bits in drawn) / 2000 < 2 * TRACED_SHARE
