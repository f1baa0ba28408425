"""Decides during a load whether its clients are served as before the faults. Pure: lines and times come in.

The decision only says when the next fault may follow. The report's figures come from the complete record.
"""

from collections import Counter, deque
from collections.abc import Container

import msgspec

LOOK_BACK_S = 1.0
"""Clients are served normally if they were for this time."""
USUAL_S = 4.0
"""The time in which the usual rates are counted."""
NORMAL = 0.6
"""Share of the usual successes per second that is normal, for each kind of call."""
STALE_S = 0.3
"""A read may miss writes that were acknowledged within this time."""


class _Wallet(msgspec.Struct):
    position: int | None = None


class _Transfer(msgspec.Struct):
    toAccount: str  # noqa: N815 -- the contract's name


class Clients:
    """The latest answers to clients, from the lines of the record as k6 writes them."""

    def __init__(self, parts: Container[str]) -> None:
        """`parts` are the parts of the scenario that count."""
        self._parts = parts
        self._answers: deque[tuple[float, str, bool]] = deque()
        self._written: dict[str, tuple[int, float]] = {}
        self._usual: Counter[str] = Counter()

    def note(self, line: str, now_s: float) -> None:
        """Note a line of the record that k6 has just written."""
        fields = line.split("\t")
        if fields[0] != "call" or fields[2] not in self._parts:
            return
        kind = f"{fields[3]} with position" if "min_position=" in fields[12] else fields[3]
        self._answers.append((now_s, kind, self._is_good(fields, now_s)))
        while self._answers[0][0] < now_s - USUAL_S:
            self._answers.popleft()

    def set_usual(self, now_s: float) -> None:
        """Take the successes of the last four seconds as usual."""
        self._usual = self._successes(now_s - USUAL_S)

    def is_normal(self, now_s: float) -> bool:
        """Whether in the last second nothing failed, no read was stale, and each kind of call succeeded as often."""
        since_s = now_s - LOOK_BACK_S
        successes = self._successes(since_s)
        return all(is_good for at_s, _, is_good in self._answers if at_s >= since_s) and all(
            successes[kind] >= NORMAL * usual * LOOK_BACK_S / USUAL_S for kind, usual in self._usual.items()
        )

    def _successes(self, since_s: float) -> Counter[str]:
        return Counter(kind for at_s, kind, is_good in self._answers if is_good and at_s >= since_s)

    def _is_good(self, fields: list[str], now_s: float) -> bool:
        """Whether a call succeeded and, if positions say so, showed what was written to its wallet before."""
        operation, outcome, path, sent, body = fields[3], fields[8], fields[12], fields[13], fields[14]
        if outcome != "success":
            return False
        position = msgspec.json.decode(body, type=_Wallet).position
        if position is None:
            return True
        if operation == "transfer":
            self._written[msgspec.json.decode(sent, type=_Transfer).toAccount] = position, now_s
            return True
        written, at_s = self._written.get(path.split("/")[2], (0, now_s))
        return position >= written or now_s - at_s <= STALE_S
