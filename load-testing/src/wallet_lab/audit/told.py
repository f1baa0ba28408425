"""What the clients were told against what the books say: the reconciliation. Pure; `books.py` reads the books."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wallet_lab.audit.questions import check
from wallet_lab.calls import Call
from wallet_lab.report.model import Check

AMOUNT_MICROS = 10_000
"""What every transfer of the load scripts moves (load-testing/lib/calls.js)."""

ACKNOWLEDGED = "every acknowledged transfer is in the books once"
"""The check that counts what was lost."""


class Told(NamedTuple):
    """The calls of one run of k6, whose idempotency keys begin with the run's name and a dash."""

    run: str
    calls: Sequence[Call]
    unlogged: int = 0
    """Calls that k6 counted, but of which no line tells what they were answered: all of them unknown."""
    broken_off: bool = False
    """Whether connections were broken while it ran. k6's HTTP library then sends a call again by itself, so what was
    rejected the second time may be in the books by the first (load-testing/README.md, limits of k6)."""


class Booked(NamedTuple):
    """A transfer as the books have it."""

    key: str
    transaction_id: str
    happened: bool | None
    """Whether it moved money for good, or was refused or compensated; None: it has not ended."""
    micros: int


_Books = Mapping[str, Sequence[Booked]]


def reconcile(told: Told, booked: Iterable[Booked]) -> list[Check]:
    """Every answer against the books, and the books against what was sent."""
    books: dict[str, list[Booked]] = defaultdict(list)
    for transfer in booked:
        books[transfer.key].append(transfer)
    return [
        check(ACKNOWLEDGED, list(_not_once(told.calls, books))),
        check("no refused transfer happened", list(_happened_all_the_same(told, books))),
        check("every pending or unknown transfer is decided once", list(_undecided(told, books))),
        check("every transfer in the books was sent", _unsent(told, books)),
        check("every answer is one that the contract allows", list(_forbidden(told.calls))),
    ]


def _not_once(calls: Iterable[Call], books: _Books) -> Iterator[str]:
    for call in calls:
        if call.kind == "success":
            found = books.get(call.key, ())
            if len(found) != 1 or not _fits(call, found[0]) or found[0].happened is False:
                yield f"{call.key} was acknowledged as {call.transaction_id}; the books have {_told(found)}"


def _happened_all_the_same(told: Told, books: _Books) -> Iterator[str]:
    for call in told.calls:
        if call.kind == "refused" or (call.kind == "rejected" and not told.broken_off):
            found = books.get(call.key, ())
            if any(transfer.happened for transfer in found):
                yield f"{call.key} was answered {call.outcome}; the books have {_told(found)}"


def _undecided(told: Told, books: _Books) -> Iterator[str]:
    for call in told.calls:
        if call.kind in {"pending", "unknown", "error"} or (call.kind == "rejected" and told.broken_off):
            found = books.get(call.key, ())
            if (
                len(found) > 1
                or (call.kind == "pending" and not found)
                or not all(_fits(call, f) for f in found)
            ):
                yield f"{call.key} was answered {call.outcome}; the books have {_told(found)}"


def _unsent(told: Told, books: _Books) -> list[str]:
    sent = {call.key for call in told.calls}
    extra = [
        f"{key} is in the books as {_told(books[key])}; nobody sent it" for key in books if key not in sent
    ]
    return extra[told.unlogged :]


def _forbidden(calls: Iterable[Call]) -> Iterator[str]:
    return (f"{call.key} was answered {call.outcome}" for call in calls if call.kind == "error")


def _fits(call: Call, booked: Booked) -> bool:
    """Whether the books have the transfer that was sent: under the id that its client was told, if it was told one."""
    return booked.micros == AMOUNT_MICROS and call.transaction_id in {None, booked.transaction_id}


def _told(found: Sequence[Booked]) -> str:
    outcome = {True: "completed", False: "refused", None: "open"}
    told = (
        f"{booked.transaction_id} of {booked.micros} micros, {outcome[booked.happened]}" for booked in found
    )
    return " and ".join(told) or "nothing"
