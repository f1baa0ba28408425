"""The responses that clients received: one line per ended transfer call, as k6 logged it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

from wallet_lab.report.model import Latency, Outcomes

_SHARES = (*(n / 100 for n in range(100)), 0.995, 0.999, 1.0)


class Call(NamedTuple):
    """One transfer call. `outcome` is success or pending, or a kind and a reason: refused, rejected, unknown, error."""

    key: str
    started_ms: int
    duration_ms: float
    outcome: str
    transaction_id: str | None

    @property
    def kind(self) -> str:
        """The outcome without its reason."""
        return self.outcome.partition(":")[0]


def read_calls(path: Path) -> list[Call]:
    """Read the calls from a log of k6. Other lines are k6's own messages."""
    with path.open() as lines:
        return [_call(line) for line in lines if line.startswith("call ")]


def _call(line: str) -> Call:
    _, key, started_ms, duration_ms, outcome, transaction_id = line.split()
    known = None if transaction_id == "-" else transaction_id
    return Call(key, int(started_ms), float(duration_ms), outcome, known)


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


def total(outcomes: Outcomes) -> int:
    """Return the number of calls."""
    others = outcomes.success + outcomes.pending + outcomes.unknown + outcomes.rejected + outcomes.error
    return others + sum(outcomes.refused.values())


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
