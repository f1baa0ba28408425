"""Computes the effect of each injection of a fault on clients, from all calls of a load. Pure; rounds no interval.

Calls are compared with the steady calls of the same load: those before the first injection, and those of the last two
seconds before each later injection if the stack had recovered.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
from statistics import fmean
from typing import Any, NamedTuple

from wallet_lab.report.model import Injection

SETTLING_S = 2.0
"""The load's first seconds are not steady, because connections open and caches fill."""
STEADY_S = 2.0
"""The time before an injection in which the stack had recovered."""
MARGIN_S = 0.05
"""A call is slow if it takes this much longer than 99.9 % of the steady calls of its kind. A read is stale if it is
this much staler than every steady read."""
AFFECTED_S = 3.0
"""The shares count calls that were under way at the fault or sent within this time after it."""
WINDOW_S = 1.0
"""Throughput and the backlog are normal again if they stay normal for this time."""
CONVERGED_S = 2.0
"""Reads have converged if none fails or is stale for this time, because only few wallets may be stale at the end."""
MORE_BACKLOG = 2.0
BACKLOG_MIN = 50.0


class Seen(NamedTuple):
    """A call with an answer or a timeout. Times in seconds since the load's start."""

    sent_s: float
    answered_s: float
    kind: str
    """success, pending, refused, unknown, rejected or error."""
    group: str
    """Calls of one group take similar times, such as transfers."""
    is_bound: bool | None
    """See `architectures/bindings.py`. None: not known, so the call is in neither class."""
    stale_ms: float | None = None
    """Of a read of a balance: how much earlier the oldest acknowledged write was acknowledged that it does not show."""

    @property
    def is_success(self) -> bool:
        """Whether the request was fulfilled."""
        return self.kind == "success"


class BacklogSample(NamedTuple):
    """The unfinished work at a moment: see `Ledger.backlog`. None: no answer."""

    at_s: float
    size: float | None


class Injected(NamedTuple):
    """A moment of injection, and whether the stack recovered before the next one."""

    at_s: float
    is_recovered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything observed during one load. Times in seconds since its start."""

    calls: Sequence[Seen]
    backlog: Sequence[BacklogSample]
    injected: Sequence[Injected]
    end_s: float


class _Usual(NamedTuple):
    """The figures of the steady time."""

    limits_s: dict[str, float]
    bound_per_s: float
    gap_s: float
    """The longest time without a success of a bound call."""
    backlog: float
    stale_ms: float

    def is_affected(self, call: Seen) -> bool:
        limit_s = self.limits_s.get(call.group, float("inf"))
        return not call.is_success or call.answered_s - call.sent_s > limit_s


def injections(observed: Observed) -> list[Injection]:
    """Return the moments of every injection, in order."""
    usual = _usual(observed)
    return [_injection(observed, usual, begin, end) for begin, end in _spans(observed)]


def _spans(observed: Observed) -> Iterator[tuple[float, float]]:
    """Yield each injection's moment and that of the next one, or the load's end."""
    yield from pairwise([*(injected.at_s for injected in observed.injected), observed.end_s])


def _usual(observed: Observed) -> _Usual:
    steady = _steady(observed)
    calls = [
        call for call in observed.calls if _within(call.sent_s, steady) and _within(call.answered_s, steady)
    ]
    bound = sorted(call.answered_s for call in calls if call.is_bound and call.is_success)
    sizes = [one.size for one in observed.backlog if _within(one.at_s, steady) and one.size is not None]
    return _Usual(
        limits_s=_limits_s(calls),
        bound_per_s=len(bound) / max(sum(end - begin for begin, end in steady), 0.001),
        gap_s=max((b - a for a, b in pairwise(bound) if _is_in_one(a, b, steady)), default=0.0),
        backlog=max(sizes, default=0.0),
        # Only before the first fault, because reads may stay stale for seconds after all other figures are normal.
        stale_ms=max(
            (call.stale_ms or 0.0 for call in calls if _within(call.sent_s, steady[:1])), default=0.0
        ),
    )


def _steady(observed: Observed) -> list[tuple[float, float]]:
    """Return the intervals before injections in which the stack had recovered."""
    if not observed.injected:
        return []
    later = [
        (now.at_s - STEADY_S, now.at_s) for before, now in pairwise(observed.injected) if before.is_recovered
    ]
    return [(SETTLING_S, observed.injected[0].at_s), *later]


def _within(at_s: float, intervals: Iterable[tuple[float, float]]) -> bool:
    return any(begin <= at_s < end for begin, end in intervals)


def _is_in_one(first_s: float, last_s: float, intervals: Iterable[tuple[float, float]]) -> bool:
    return any(begin <= first_s and last_s < end for begin, end in intervals)


def _limits_s(calls: Iterable[Seen]) -> dict[str, float]:
    durations: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        if call.is_success:
            durations[call.group].append(call.answered_s - call.sent_s)
    return {
        group: sorted(found)[ceil(0.999 * len(found)) - 1] + MARGIN_S for group, found in durations.items()
    }


def _injection(observed: Observed, usual: _Usual, begin_s: float, end_s: float) -> Injection:
    calls, length_s = _since(observed.calls, begin_s, end_s), end_s - begin_s
    bound = [call for call in calls if call.is_bound]
    outages = _outages(bound, usual, length_s)
    first_success_s = _first_success_s(bound, outages, length_s)
    return Injection(
        at_s=begin_s,
        **_shares(bound, usual, "bound"),
        **_shares([call for call in calls if call.is_bound is False], usual, "other"),
        outage_s=sum(end - begin for begin, end in outages),
        first_success_s=first_success_s,
        full_throughput_s=_full_throughput_s(bound, first_success_s, usual, length_s),
        drained_s=drained_s(_samples_since(observed.backlog, begin_s, end_s), usual.backlog),
        converged_s=_converged_s(calls, usual, length_s),
        stale_ms_max=max((call.stale_ms for call in calls if call.stale_ms is not None), default=None),
    )


def _since(calls: Iterable[Seen], begin_s: float, end_s: float) -> list[Seen]:
    """Return the calls that were under way between two moments, with times since the first."""
    return [
        call._replace(sent_s=call.sent_s - begin_s, answered_s=call.answered_s - begin_s)
        for call in calls
        if call.answered_s >= begin_s and call.sent_s < end_s
    ]


def _samples_since(samples: Iterable[BacklogSample], begin_s: float, end_s: float) -> list[BacklogSample]:
    return [one._replace(at_s=one.at_s - begin_s) for one in samples if begin_s <= one.at_s < end_s]


def _shares(calls: Iterable[Seen], usual: _Usual, which: str) -> dict[str, Any]:
    """Return the fields of an injection that count these calls."""
    near = [call for call in calls if call.sent_s < AFFECTED_S]
    return {
        f"{which}_calls": len(near),
        f"{which}_affected_share": _share(near, usual.is_affected),
        f"{which}_failed_share": _share(near, lambda call: not call.is_success),
    }


def _share(calls: Sequence[Seen], counts: Callable[[Seen], bool]) -> float | None:
    return fmean(map(counts, calls)) if calls else None


def _outages(bound: Sequence[Seen], usual: _Usual, length_s: float) -> list[tuple[float, float]]:
    """Return the intervals without a success of a bound call.

    An interval counts if it is longer than every steady interval between two successes, and if a bound call was
    affected in it. The first begins with the fault.
    """
    affected = [call for call in bound if usual.is_affected(call)]
    return [
        (begin, end)
        for begin, end in pairwise([0.0, *_successes(bound, length_s), length_s])
        if end - begin > usual.gap_s
        and any(call.sent_s < end and call.answered_s > begin for call in affected)
    ]


def _successes(calls: Iterable[Seen], length_s: float) -> list[float]:
    return sorted(call.answered_s for call in calls if call.is_success and 0 <= call.answered_s < length_s)


def _first_success_s(
    bound: Sequence[Seen], outages: Sequence[tuple[float, float]], length_s: float
) -> float | None:
    """Return the end of the longest outage; 0 without an outage; None if it did not end or there were no calls."""
    if not bound:
        return None
    _, end_s = max(outages, key=lambda one: one[1] - one[0], default=(0.0, 0.0))
    return end_s if end_s < length_s else None


def _full_throughput_s(
    bound: Sequence[Seen], from_s: float | None, usual: _Usual, length_s: float
) -> float | None:
    """Return the begin of the first second, after the first success, with a normal number of successes.

    The number is normal if it is at most 10 % or three standard deviations (of a Poisson distribution) below the usual.
    """
    if from_s is None:
        return None
    ends = _successes(bound, length_s)
    expected = usual.bound_per_s * WINDOW_S
    needed = expected - max(0.1 * expected, 3 * sqrt(expected))
    for begin_s in (from_s, *(end for end in ends if end > from_s)):
        if begin_s + WINDOW_S > length_s:
            return None
        if bisect_left(ends, begin_s + WINDOW_S) - bisect_left(ends, begin_s) >= needed:
            return begin_s
    return None


def drained_s(samples: Sequence[BacklogSample], usual: float) -> float | None:
    """Return when the backlog became normal for long enough; None if it was not normal at the end.

    A sample without an answer counts as backlog, because its size is unknown. `usual` is the largest steady backlog.
    """
    if not samples or is_backlog(samples[-1], usual):
        return None
    over = [one.at_s for one in samples if is_backlog(one, usual)]
    ends = [0.0, *(later.at_s for one, later in pairwise(samples) if is_backlog(one, usual))]
    return next(end for end in ends if not any(end <= at_s < end + WINDOW_S for at_s in over))


def is_backlog(sample: BacklogSample, usual: float) -> bool:
    """Whether more work is unfinished than usual, or it is not known."""
    return sample.size is None or sample.size > max(MORE_BACKLOG * usual, BACKLOG_MIN)


def _converged_s(calls: Iterable[Seen], usual: _Usual, length_s: float) -> float | None:
    """Return the begin of the first two seconds in which no read failed or was stale; None if there were none."""
    limit_ms = usual.stale_ms + 1000 * MARGIN_S
    wrong = sorted(
        (call.sent_s, call.answered_s)
        for call in calls
        if call.group.startswith("balance") and (not call.is_success or (call.stale_ms or 0.0) > limit_ms)
    )
    begin_s = 0.0
    for sent_s, answered_s in wrong:
        if sent_s >= begin_s + CONVERGED_S:
            break
        begin_s = max(begin_s, answered_s)
    return begin_s if begin_s + CONVERGED_S <= length_s else None
