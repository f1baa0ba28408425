"""The search for the capacity, against simulated servers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_lab.comparison.capacity import (
    CLIENTS_MAX,
    CLIENTS_MIN,
    GROWTH,
    LATER_GROWTH,
    PROBES_MAX,
    RATE_MIN_PER_S,
    bounds,
    clients_for,
    meets,
    next_rate,
    rates_per_s,
)
from wallet_lab.report.model import LIMITS_MS, MAIN_LIMIT_MS, Probe

RESOLUTION = 1.1


def probe(rate_per_s: float, p99_ms: float | None = 10.0, failed_share: float = 0.0) -> Probe:
    """A probe; by default it meets every limit."""
    return Probe(rate_per_s=rate_per_s, p50_ms=1.0, p99_ms=p99_ms, failed_share=failed_share)


def served(rate_per_s: float, saturation_per_s: float) -> Probe:
    """A probe of a server whose latency grows as that of one queue (M/M/1), and which fails beyond its saturation."""
    if rate_per_s >= saturation_per_s:
        return probe(rate_per_s, 900.0, 0.2)
    return probe(rate_per_s, 5000.0 / (saturation_per_s - rate_per_s))


def search(saturation_per_s: float, start: float, growth: float = GROWTH) -> list[Probe]:
    """Carry out a search on a simulated server."""
    probes: list[Probe] = []
    while (rate := next_rate(probes, start, RESOLUTION, growth)) is not None:
        probes.append(served(rate, saturation_per_s))
    return probes


@given(saturation=st.floats(200, 8000), start=st.floats(100, 4000))
def test_search_finds_the_capacity_within_its_resolution(saturation: float, start: float) -> None:
    """The result is at most the true capacity, and at most the resolution below it."""
    probes = search(saturation, start)
    true = saturation - 5000.0 / 50.0  # where the simulated 99th percentile is 50 ms
    found = rates_per_s(probes)["50"]
    assert found <= true * 1.000001
    assert found * RESOLUTION >= true * 0.999999 or len(probes) == PROBES_MAX
    assert len(probes) <= PROBES_MAX


@given(saturation=st.floats(300, 8000))
def test_search_from_near_the_capacity_takes_few_probes(saturation: float) -> None:
    """From 60 % of the capacity, the search needs at most nine probes, so it ends by its resolution."""
    assert len(search(saturation, 0.6 * saturation)) <= 9


@given(saturation=st.floats(300, 8000), share=st.floats(0.85, 1.05))
def test_search_from_an_earlier_result_takes_few_probes(saturation: float, share: float) -> None:
    """A later search starts near the capacity with a smaller factor: at most five probes, and the same accuracy."""
    true = saturation - 5000.0 / 50.0
    probes = search(saturation, share * true, LATER_GROWTH)
    found = rates_per_s(probes)["50"]
    assert len(probes) <= 5
    assert true / RESOLUTION * 0.999999 <= found <= true * 1.000001


def test_looser_limits_have_higher_rates() -> None:
    """The rates at the other limits come from the same probes."""
    found = rates_per_s(search(2000.0, 600.0))
    assert found["20"] <= found["50"] <= found["100"]
    assert set(found) == {f"{limit:g}" for limit in LIMITS_MS}


def test_search_ends_when_the_capacity_at_the_main_limit_is_known() -> None:
    """At another limit, the highest tried rate can be far below the true capacity, because the search ends before."""
    probes = search(2000.0, 1000.0)
    known, other = bounds(probes, MAIN_LIMIT_MS), bounds(probes, 20.0)
    assert known.met
    assert known.missed
    assert known.missed / known.met <= RESOLUTION
    assert other.met
    assert other.missed
    assert other.missed / other.met > RESOLUTION


def test_limit_that_no_probe_met_has_no_capacity() -> None:
    """If no rate met a limit, the capacity at this limit is missing, and the search ends at the lowest rate."""
    probes: list[Probe] = []
    while (rate := next_rate(probes, 300.0, RESOLUTION)) is not None:
        probes.append(probe(rate, 70.0))
    assert rates_per_s(probes).keys() == {"100"}
    assert min(each.rate_per_s for each in probes) < RATE_MIN_PER_S * 2
    assert len(probes) <= PROBES_MAX


@pytest.mark.parametrize(
    ("found", "is_met"),
    [
        (probe(100, 50.0), True),
        (probe(100, 50.1), False),
        (probe(100, 10.0, 0.0009), True),
        (probe(100, 10.0, 0.001), False),
        (probe(100, None, 1.0), False),
    ],
)
def test_probe_meets_a_limit_with_latency_and_failures(found: Probe, *, is_met: bool) -> None:
    """A probe meets 50 ms if its 99th percentile does and less than 0.1 % of the arrivals failed."""
    assert meets(found, 50.0) is is_met


def test_contradicting_probes_are_resolved_upwards() -> None:
    """If a lower rate missed the limit by chance, the higher one that met it counts."""
    known = bounds([probe(400), probe(300, 80.0), probe(640, 90.0)])
    assert (known.met, known.missed) == (400, 640)
    assert next_rate([probe(400), probe(640, 90.0)], 1.0, RESOLUTION) == pytest.approx(math.sqrt(400 * 640))


def test_first_probe_that_misses_is_repeated_once() -> None:
    """One slow moment at the first rate does not lower the search; a second one does."""
    slow = probe(400, 300.0)
    assert next_rate([slow], 400.0, RESOLUTION) == 400.0
    assert next_rate([slow, probe(400)], 400.0, RESOLUTION) == pytest.approx(640)
    assert next_rate([slow, slow], 400.0, RESOLUTION) == pytest.approx(250)


def test_clients_suffice_for_the_loosest_limit() -> None:
    """An arrival finds a free client while calls take 100 ms on average; the number has bounds."""
    assert clients_for(2000) >= 2000 * max(LIMITS_MS) / 1000
    assert clients_for(1) == CLIENTS_MIN
    assert clients_for(1e9) == CLIENTS_MAX
