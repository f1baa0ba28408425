"""The time of each hop between a write and its readers."""

import pytest

from wallet_lab.workload.counters import samples
from wallet_lab.workload.hops import hop_medians_ms, median

INF = float("inf")


@pytest.mark.parametrize(
    ("cumulative", "seconds"),
    [
        ({}, None),
        ({0.001: 0.0, INF: 0.0}, None),
        ({0.001: 10.0, INF: 10.0}, 0.0005),
        ({0.001: 5.0, 0.003: 15.0, INF: 20.0}, 0.002),
        ({0.001: 0.0, INF: 10.0}, 0.001),
    ],
)
def test_median_of_a_histogram_is_interpolated(cumulative: dict[float, float], seconds: float | None) -> None:
    """The median is in the bucket that reaches half of the writes; an open bucket gives its lower bound."""
    assert median(cumulative) == (seconds if seconds is None else pytest.approx(seconds))


def test_each_hop_has_the_time_since_the_hop_before() -> None:
    """The histograms have the time since the write; only writes between the readings count."""
    before = {"published": {0.002: 7.0, INF: 7.0}, "cached": {0.002: 7.0, 0.01: 7.0, INF: 7.0}}
    after = {"published": {0.002: 17.0, INF: 17.0}, "cached": {0.002: 7.0, 0.01: 17.0, INF: 17.0}}
    found = hop_medians_ms(("published", "cached"), before, after)
    assert found == pytest.approx({"published": 1.0, "cached": 5.0})
    assert hop_medians_ms(("published", "cached"), after, after) == {}


def test_samples_of_one_metric_are_read_alone() -> None:
    """Other metrics are not parsed, also if their names begin alike."""
    text = (
        "# TYPE wallet_batch_size histogram\n"
        'wallet_batch_size_count{batcher="a"} 3.0\n'
        "# TYPE wallet_batch_size_other gauge\n"
        "wallet_batch_size_other 1.0\n"
        "not a metric at all\n"
    )
    assert [(each.name, each.value) for each in samples(text, "wallet_batch_size")] == [
        ("wallet_batch_size_count", 3.0)
    ]
