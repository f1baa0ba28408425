"""The moments of a recovery, from clients' responses around a fault."""

from itertools import chain

import pytest

from wallet_lab.nemesis.recovery import BacklogSample, Moments, drained_s, moments, timeline
from wallet_lab.record.calls import Call

FAULT_MS = 1_000_000.0


def calls(begin_s: float, end_s: float, outcome: str = "success", took_ms: float = 10) -> list[Call]:
    """Return a hundred calls per second between two moments, in seconds since the fault."""
    return [
        Call(f"r-{n}", int(FAULT_MS + 10 * n), took_ms, outcome, None)
        for n in range(round(begin_s * 100), round(end_s * 100))
    ]


def after(*parts: list[Call]) -> Moments:
    """Return the moments of a fault after five quiet seconds."""
    return moments([*calls(-5, 0), *chain(*parts)], FAULT_MS)


def test_a_fault_that_clients_do_not_notice_has_no_moments() -> None:
    """If clients do not notice a fault, there is no detection and no first success; throughput was normal."""
    assert after(calls(0, 10)) == Moments(detected_s=None, first_success_s=None, converged_s=0)


def test_turned_away_for_two_seconds() -> None:
    """The first rejection is the detection, the next success is the recovery, the first full bin is normal again."""
    found = after(calls(0, 2, "rejected:overloaded"), calls(2, 10))
    assert found == Moments(detected_s=0.01, first_success_s=2.01, converged_s=2)


def test_a_success_that_was_sent_before_the_trouble_is_no_recovery() -> None:
    """A success counts as recovery only if the call was sent after the detection."""
    found = after(calls(0, 0.05), calls(0.05, 2, "rejected:overloaded"), calls(2, 10))
    assert (found.detected_s, found.first_success_s) == (0.06, 2.01)


def test_a_call_that_hangs_is_noticed_before_it_ends() -> None:
    """A call that takes 0.25 s longer than usual is a detection, whatever its outcome is."""
    found = after(calls(0, 0.5, took_ms=3000), calls(3.5, 10))
    assert found.detected_s == pytest.approx(0.26)
    assert found.converged_s == 3


def test_one_slow_call_before_the_fault_hides_nothing() -> None:
    """One slow call before the fault does not raise the limit, because the limit uses the median."""
    hiccup = calls(-2, -1.5, took_ms=900)
    assert after(hiccup, calls(0, 1, took_ms=500), calls(1.5, 10)).detected_s == pytest.approx(0.26)


def test_what_never_recovers_has_no_end() -> None:
    """If the load ends before the recovery, the moments are None."""
    assert after(calls(0, 10, "unknown:timeout")) == Moments(0.01, None, None)


def test_a_short_recovery_does_not_count() -> None:
    """Throughput is normal again only if it stays so for two seconds."""
    found = after(calls(0, 1, "rejected:x"), calls(1, 2), calls(2, 3, "rejected:x"), calls(3, 10))
    assert found.first_success_s == 1.01
    assert found.converged_s == 3


def test_the_timeline_counts_where_calls_ended() -> None:
    """The timeline counts every response in half-second bins, as rates."""
    bins = timeline([*calls(-1, 0), *calls(0, 0.5, "rejected:x"), *calls(0.5, 1, "pending")], FAULT_MS)
    assert [second.at_s for second in bins] == [-1, -0.5, 0, 0.5, 1]
    told = sum(second.acked_per_s + second.rejected_per_s + second.unknown_per_s for second in bins) * 0.5
    assert told == 200
    assert timeline([], FAULT_MS) == []


def looks(*sizes: float | None) -> list[BacklogSample]:
    """Return one sample per second; the first three are before the fault."""
    return [BacklogSample(place - 3.0, size) for place, size in enumerate(sizes)]


def test_a_backlog_is_drained_when_it_is_as_small_as_before() -> None:
    """A backlog up to twice the usual one is normal; a sample without an answer is not."""
    assert drained_s(looks(40, 30, 40, 900, 500, None, 90, 60, 50, 40, 30)) == 4
    assert drained_s(looks(40, 30, 40, 60, 70, 20)) == 0
    assert drained_s(looks(40, 30, 40, 900, 900)) is None
    assert drained_s(looks(40, 30, 40, None)) is None
    assert drained_s([]) is None
