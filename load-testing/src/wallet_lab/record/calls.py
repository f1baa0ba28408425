"""The transfers of a load as their clients saw them, and the figures computed from them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple

from wallet_lab.report.model import Latency, Outcomes

_SHARES = (*(n / 100 for n in range(100)), 0.995, 0.999, 1.0)


class Call(NamedTuple):
    """One transfer call. `outcome` is success or pending, or a kind and a reason: refused, rejected, unknown, error."""

    key: str
    started_ms: float
    """Milliseconds since 1970."""
    duration_ms: float
    outcome: str
    transaction_id: str | None
    part: str = ""
    """The part of the scenario that sent it."""

    @property
    def kind(self) -> str:
        """The outcome without its reason."""
        return self.outcome.partition(":")[0]


def count(calls: Iterable[Call]) -> Outcomes:
    """Count the calls by outcome."""
    counts = Counter(call.outcome for call in calls)

    def of_kind(kind: str) -> int:
        return sum(number for outcome, number in counts.items() if outcome.partition(":")[0] == kind)

    return Outcomes(
        success=counts["success"],
        pending=counts["pending"],
        refused={
            outcome.removeprefix("refused:"): number
            for outcome, number in sorted(counts.items())
            if outcome.startswith("refused:")
        },
        unknown=of_kind("unknown"),
        rejected=of_kind("rejected"),
        error=of_kind("error"),
    )


def latency(durations_ms: Sequence[float]) -> Latency | None:
    """Return the distribution of durations; None if there are none."""
    if not durations_ms:
        return None
    ordered = sorted(durations_ms)

    def within(share: float) -> float:
        return ordered[max(0, ceil(share * len(ordered)) - 1)]

    return Latency(
        p50=within(0.5),
        p95=within(0.95),
        p99=within(0.99),
        max=ordered[-1],
        distribution=[(share, within(share)) for share in _SHARES],
    )
