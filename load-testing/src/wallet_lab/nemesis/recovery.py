"""Computes the moments of a recovery from clients' responses around a fault. Pure; times in s since the fault."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from wallet_lab.record.calls import Call
from wallet_lab.report.model import Second

BIN_S = 0.5
STEADY_FROM_S = 2.0
"""The load's first seconds do not count as usual, because connections open and caches fill."""
NOTICED_S = 0.25
"""A call is slow if it takes this much longer than the median of the calls before the fault."""
NORMAL = 0.8
NORMAL_FOR_S = 2.0
MORE_BACKLOG = 2.0
BACKLOG_MIN = 50.0


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of a recovery, as in the report."""

    detected_s: float | None
    first_success_s: float | None
    converged_s: float | None


@dataclass(frozen=True, slots=True)
class BacklogSample:
    """The unfinished work at a moment: see `Ledger.backlog`. None: no answer."""

    at_s: float
    size: float | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A call in seconds since the fault."""

    begun_s: float
    ended_s: float
    kind: str

    @property
    def duration_s(self) -> float:
        return self.ended_s - self.begun_s


def moments(calls: Sequence[Call], fault_ms: float) -> Moments:
    """Return when clients first noticed the fault, when a call first succeeded again, and when throughput was normal.

    `fault_ms` is in ms since the epoch, like the times of the calls.
    """
    seen = _seen(calls, fault_ms)
    detected_s = _detected(seen)
    if detected_s is None:
        return Moments(None, None, _converged(seen, 0.0))
    served = [call.ended_s for call in seen if call.kind == "success" and call.begun_s >= detected_s]
    return Moments(detected_s, min(served, default=None), _converged(seen, detected_s))


def _seen(calls: Sequence[Call], fault_ms: float) -> list[_Seen]:
    found = [
        _Seen(
            (call.started_ms - fault_ms) / 1000,
            (call.started_ms + call.duration_ms - fault_ms) / 1000,
            call.kind,
        )
        for call in calls
    ]
    return sorted(found, key=lambda call: call.ended_s)


def _detected(seen: Sequence[_Seen]) -> float | None:
    """Return when a client could first notice the fault: an unusual response, or a response that is overdue."""
    before_s = [call.duration_s for call in _steady(seen)]
    limit_s = median(before_s) + NOTICED_S if before_s else float("inf")
    return min((known for call in seen if (known := _known_s(call, limit_s)) is not None), default=None)


def _known_s(call: _Seen, limit_s: float) -> float | None:
    """Return when a call was known to be unusual; None if it was not, or if it ended before the fault."""
    if call.ended_s < 0:
        return None
    if call.duration_s > limit_s:
        return max(0.0, call.begun_s + limit_s)
    return None if call.kind == "success" else call.ended_s


def _steady(seen: Sequence[_Seen]) -> list[_Seen]:
    first_s = min((call.begun_s for call in seen), default=0.0)
    return [call for call in seen if call.begun_s >= first_s + STEADY_FROM_S and call.ended_s < 0]


def _converged(seen: Sequence[_Seen], from_s: float) -> float | None:
    """Return the start of the first normal period that is long enough, without the incomplete last bin."""
    steady = [call for call in _steady(seen) if call.kind == "success"]
    if not steady:
        return None
    usual_per_s = len(steady) / -min(call.begun_s for call in steady)
    after = [second for second in timeline_of(seen) if second.at_s + BIN_S > from_s][:-1]
    normal = [second.acked_per_s >= NORMAL * usual_per_s for second in after]
    needed = round(NORMAL_FOR_S / BIN_S)
    for place in range(len(normal) - needed + 1):
        if all(normal[place : place + needed]):
            return max(0.0, after[place].at_s)
    return None


def timeline(calls: Sequence[Call], fault_ms: float) -> list[Second]:
    """Count the responses in every half second, from the load's start to its end."""
    return timeline_of(_seen(calls, fault_ms))


def timeline_of(seen: Sequence[_Seen]) -> list[Second]:
    """Count calls by the time of their response, because a client knows the outcome only then."""
    if not seen:
        return []
    counts: dict[int, dict[str, int]] = {}
    for call in seen:
        bin_ = counts.setdefault(int(call.ended_s // BIN_S), {})
        bin_[call.kind] = bin_.get(call.kind, 0) + 1
    return [_second(place * BIN_S, counts.get(place, {})) for place in range(min(counts), max(counts) + 1)]


def _second(at_s: float, counts: dict[str, int]) -> Second:
    def per_s(*kinds: str) -> float:
        return sum(counts.get(kind, 0) for kind in kinds) / BIN_S

    return Second(
        at_s=at_s,
        acked_per_s=per_s("success"),
        unknown_per_s=per_s("unknown", "error", "pending"),
        rejected_per_s=per_s("rejected"),
    )


def drained_s(backlog: Sequence[BacklogSample]) -> float | None:
    """Return when the backlog became normal for long enough; None if it was not normal at the end.

    A sample without an answer counts as backlog, because its size is unknown.
    """
    usual = max((look.size for look in backlog if look.at_s < 0 and look.size is not None), default=0.0)
    limit = max(MORE_BACKLOG * usual, BACKLOG_MIN)
    after = [look for look in backlog if look.at_s >= 0]
    over = [look.at_s for look in after if _is_over(look, limit)]
    if not after or _is_over(after[-1], limit):
        return None
    ends = [0.0, *(later.at_s for look, later in pairwise(after) if _is_over(look, limit))]
    return next(end for end in ends if not any(end <= at_s < end + NORMAL_FOR_S for at_s in over))


def _is_over(look: BacklogSample, limit: float) -> bool:
    return look.size is None or look.size > limit
