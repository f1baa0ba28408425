"""The moments of each injection, from the calls of a synthetic load."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_lab.nemesis.moments import BacklogSample, Injected, Observed, Seen, drained_s, injections
from wallet_lab.report.model import Injection

FAULT_S = 10.0
END_S = 20.0
PER_S = 100
USUAL_S = 0.01


def calls(
    begin_s: float, end_s: float, kind: str = "success", took_s: float = USUAL_S, *, bound: bool | None = True
) -> list[Seen]:
    """Return a hundred transfers per second that are sent between two moments, in seconds since the fault."""
    sent = [FAULT_S + n / PER_S for n in range(round(begin_s * PER_S), round(end_s * PER_S))]
    return [Seen(at_s, at_s + took_s, kind, "transfer", bound) for at_s in sent]


def reads(begin_s: float, end_s: float, stale_ms: float | None = 0.0, kind: str = "success") -> list[Seen]:
    """Return a hundred reads per second that are not bound to the victim."""
    found = calls(begin_s, end_s, kind, bound=False)
    return [call._replace(group="balance", stale_ms=stale_ms) for call in found]


def observed(*parts: Iterable[Seen], backlog: Iterable[BacklogSample] = ()) -> Observed:
    """Return a load with one fault after ten steady seconds, and ten seconds after it."""
    return Observed(
        calls=[*calls(-10, -0.02), *calls(-10, -0.02, bound=False), *reads(-10, -0.02), *chain(*parts)],
        backlog=list(backlog),
        injected=[Injected(FAULT_S, is_recovered=True)],
        end_s=END_S,
    )


def after(*parts: Iterable[Seen]) -> Injection:
    """Return the moments of the only fault."""
    (injection,) = injections(observed(*parts))
    return injection


def test_fault_without_effect_has_no_outage() -> None:
    """If no call fails or is slow, every moment is that of the fault itself, and no share is affected."""
    found = after(calls(-0.02, 10), calls(0, 10, bound=False), reads(0, 10))
    assert (found.bound_affected_share, found.other_affected_share, found.outage_s) == (0, 0, 0)
    assert (found.first_success_s, found.full_throughput_s, found.converged_s) == (0, 0, 0)
    assert found.bound_calls == 3 * PER_S + 1


def test_errors_at_once_are_an_outage_from_the_fault_to_the_first_success() -> None:
    """If bound calls fail immediately for two seconds, the outage ends with the first success, to the millisecond."""
    found = after(calls(0, 2, "rejected", took_s=0.001), calls(2, 10))
    assert found.outage_s == pytest.approx(2.01)
    assert found.first_success_s == found.full_throughput_s == pytest.approx(2.01)
    assert found.bound_affected_share == found.bound_failed_share == pytest.approx(2 / 3, abs=0.01)


def test_stalled_calls_are_an_outage_without_a_failure() -> None:
    """Calls that wait for the victim and then succeed are affected, and the time of their wait is an outage."""
    waited = [call._replace(answered_s=FAULT_S + 1.5) for call in calls(-0.02, 1.5)]
    found = after(waited, calls(1.5, 10))
    assert found.outage_s == found.first_success_s == pytest.approx(1.5)
    assert found.bound_failed_share == 0
    assert found.bound_affected_share == pytest.approx(0.5, abs=0.05)


def test_short_stalls_are_measured_without_a_floor() -> None:
    """An outage of 80 ms is 80 ms long."""
    waited = [call._replace(answered_s=FAULT_S + 0.08) for call in calls(-0.01, 0.08)]
    assert after(waited, calls(0.08, 10)).outage_s == pytest.approx(0.08)


def test_calls_that_never_need_the_victim_do_not_count() -> None:
    """Successes of other calls do not end the outage of the bound ones, and failures of other calls are no outage."""
    found = after(calls(0, 2, "unknown"), calls(2, 10), calls(0, 10, bound=False))
    assert found.first_success_s == pytest.approx(2.01)
    assert (found.other_calls, found.other_affected_share) == (3 * PER_S, 0)
    healthy = after(calls(0, 10), calls(0, 2, "unknown", bound=False))
    assert (healthy.outage_s, healthy.other_affected_share) == (0, 1)


def test_calls_that_a_cache_may_answer_are_in_neither_class() -> None:
    """A call whose path is not known neither ends an outage nor counts as another call."""
    found = after(calls(0, 2, "unknown"), calls(2, 10), calls(0, 10, bound=None))
    assert found.first_success_s == pytest.approx(2.01)
    assert found.other_calls == 0
    assert found.other_affected_share is None


def test_injection_that_never_recovers_has_no_moments() -> None:
    """If bound calls fail until the load's end, the outage lasts until then, and no moment of recovery is given."""
    found = after(calls(0, 10, "unknown"), reads(0, 10, None, "unknown"))
    assert found.outage_s == pytest.approx(10)
    assert (found.first_success_s, found.full_throughput_s, found.converged_s) == (None, None, None)


def test_full_throughput_comes_after_a_time_of_few_successes() -> None:
    """A single success ends the longest outage. Throughput is full when a whole second has the usual successes."""
    few = [call for n, call in enumerate(calls(1, 3)) if n % 10 == 0]
    found = after(calls(0, 1, "rejected"), few, calls(3, 10))
    assert found.first_success_s == pytest.approx(1.01)
    assert 2.7 < (found.full_throughput_s or 0) < 3.02


def test_later_outages_add_up() -> None:
    """Two outages of one injection are counted in full, and the first success is the end of the longer one."""
    found = after(
        calls(0, 1, "rejected"), calls(1, 3), calls(3, 3.5, "rejected", took_s=0.001), calls(3.5, 10)
    )
    assert found.outage_s == pytest.approx(1.01 + 0.51)
    assert found.first_success_s == pytest.approx(1.01)


def test_reads_converge_when_none_fails_or_is_stale() -> None:
    """Reads have converged after the one that failed or missed an old write; the largest staleness is kept."""
    stale = after(calls(0, 10), reads(0, 4, 900), reads(4, 10, 3))
    assert stale.converged_s == pytest.approx(4)
    assert stale.stale_ms_max == 900
    failed = after(calls(0, 10), reads(0, 2, None, "unknown"), reads(2, 10))
    assert failed.converged_s == pytest.approx(2)
    assert failed.stale_ms_max == 0
    assert after(calls(0, 10), reads(0, 10, 40)).converged_s == 0
    now_and_then = chain(*(reads(at_s, at_s + 0.01, 900) for at_s in range(5)))
    assert after(calls(0, 10), now_and_then).converged_s == pytest.approx(4.01, abs=0.02)


def test_later_injections_are_measured_from_their_own_time() -> None:
    """Two equal faults of one load have equal moments, and the first ends where the second begins."""
    later = [
        call._replace(sent_s=call.sent_s + 10, answered_s=call.answered_s + 10)
        for call in (*calls(0, 2, "rejected"), *calls(2, 10))
    ]
    both = Observed(
        calls=[*calls(-10, 0), *calls(0, 2, "rejected"), *calls(2, 10), *later],
        backlog=[],
        injected=[Injected(FAULT_S, is_recovered=True), Injected(FAULT_S + 10, is_recovered=True)],
        end_s=FAULT_S + 20,
    )
    first, second = injections(both)
    assert first.outage_s == pytest.approx(second.outage_s)
    assert first.first_success_s == pytest.approx(second.first_success_s)


def test_stale_reads_before_a_later_fault_are_not_usual() -> None:
    """If reads are stale until the second fault, the first one has not converged: only the time before it is steady."""
    stale = reads(0, 10, 900)
    both = replace(
        observed(calls(-0.02, 20), stale),
        injected=[Injected(FAULT_S, is_recovered=True), Injected(FAULT_S + 10, is_recovered=True)],
        end_s=FAULT_S + 20,
    )
    assert injections(both)[0].converged_s is None


@given(
    st.lists(
        st.tuples(
            st.floats(0, 19),
            st.floats(0, 5),
            st.sampled_from(["success", "unknown", "rejected"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_moments_are_in_order_and_within_the_time_of_the_injection(
    drawn: list[tuple[float, float, str, bool]],
) -> None:
    """For any answers, no moment is negative or after the end, and full throughput follows success."""
    seen = [Seen(sent, sent + took, kind, "transfer", bound) for sent, took, kind, bound in drawn]
    (found,) = injections(
        Observed(calls=seen, backlog=[], injected=[Injected(FAULT_S, is_recovered=True)], end_s=END_S)
    )
    assert 0 <= found.outage_s <= END_S - FAULT_S
    moments = [found.first_success_s, found.full_throughput_s, found.converged_s]
    assert all(moment is None or 0 <= moment <= END_S - FAULT_S for moment in moments)
    if found.full_throughput_s is not None:
        assert found.first_success_s is not None
        assert found.first_success_s <= found.full_throughput_s


def looks(*sizes: float | None) -> list[BacklogSample]:
    """Return one sample per second from the fault on."""
    return [BacklogSample(float(place), size) for place, size in enumerate(sizes)]


def test_backlog_is_drained_when_it_is_as_small_as_usual() -> None:
    """A backlog up to twice the usual one is normal; a sample without an answer is not."""
    assert drained_s(looks(900, 500, None, 90, 60, 50, 40, 30), usual=40) == 4
    assert drained_s(looks(60, 70, 20), usual=40) == 0
    assert drained_s(looks(900, 900), usual=40) is None
    assert drained_s(looks(None), usual=40) is None
    assert drained_s([], usual=40) is None
