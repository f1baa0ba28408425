"""Reconciles the responses that clients received with the books. Pure; `books.py` reads the books."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wallet_lab.audit.questions import check
from wallet_lab.record.calls import Call
from wallet_lab.report.model import Check

AMOUNT_MICROS = 10_000
"""The amount of every transfer of the load scripts (load-testing/lib/calls.js)."""

ACKNOWLEDGED = "every acknowledged transfer is in the books once"
"""The check that counts lost transfers."""


class Told(NamedTuple):
    """The calls of one run of k6. Their idempotency keys begin with the run's name and a dash."""

    run: str
    calls: Sequence[Call]
    unlogged: int = 0
    """The number of calls that k6 counted but did not log. Their outcome is unknown."""
    broken_off: bool = False
    """Whether connections broke during the run. k6's HTTP library then resends a call by itself. The first attempt may
    be in the books although the second was rejected (load-testing/README.md, limits of k6)."""


class Booked(NamedTuple):
    """A transfer in the books."""

    key: str
    transaction_id: str
    happened: bool | None
    """True if it moved money for good, False if it was refused or compensated, None if it has not ended."""
    micros: int


_Books = Mapping[str, Sequence[Booked]]


def reconcile(told: Told, booked: Iterable[Booked]) -> list[Check]:
    """Check every response against the books, and every transfer in the books against the calls."""
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
                yield f"{call.key} was acknowledged as {call.transaction_id}; the books have {_describe(found)}"


def _happened_all_the_same(told: Told, books: _Books) -> Iterator[str]:
    for call in told.calls:
        if call.kind == "refused" or (call.kind == "rejected" and not told.broken_off):
            found = books.get(call.key, ())
            if any(transfer.happened for transfer in found):
                yield f"{call.key} was answered {call.outcome}; the books have {_describe(found)}"


def _undecided(told: Told, books: _Books) -> Iterator[str]:
    for call in told.calls:
        if call.kind in {"pending", "unknown", "error"} or (call.kind == "rejected" and told.broken_off):
            found = books.get(call.key, ())
            if (
                len(found) > 1
                or (call.kind == "pending" and not found)
                or not all(_fits(call, f) for f in found)
            ):
                yield f"{call.key} was answered {call.outcome}; the books have {_describe(found)}"


def _unsent(told: Told, books: _Books) -> list[str]:
    sent = {call.key for call in told.calls}
    extra = [
        f"{key} is in the books as {_describe(books[key])}; k6 did not send it"
        for key in books
        if key not in sent
    ]
    return extra[told.unlogged :]


def _forbidden(calls: Iterable[Call]) -> Iterator[str]:
    return (f"{call.key} was answered {call.outcome}" for call in calls if call.kind == "error")


def _fits(call: Call, booked: Booked) -> bool:
    """Whether the transfer has the amount that was sent and the id, if any, that its client received."""
    return booked.micros == AMOUNT_MICROS and call.transaction_id in {None, booked.transaction_id}


def _describe(found: Sequence[Booked]) -> str:
    outcome = {True: "completed", False: "refused", None: "open"}
    described = (
        f"{booked.transaction_id} of {booked.micros} micros, {outcome[booked.happened]}" for booked in found
    )
    return " and ".join(described) or "nothing"
