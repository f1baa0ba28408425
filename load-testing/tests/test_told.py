"""The clients' responses against the books, without a stack: the reconciliation finds every contradiction."""

import pytest

from wallet_lab.audit.questions import violations
from wallet_lab.audit.told import AMOUNT_MICROS, Booked, Told, reconcile
from wallet_lab.record.calls import Call

ID, OTHER = "01a2-1", "01a2-2"
ONCE = "every acknowledged transfer is in the books once"
DECIDED = "every pending or unknown transfer is decided once"


def call(outcome: str, transaction_id: str | None = None, key: str = "r-hot-pair-1-0") -> Call:
    """Return an answered call."""
    return Call(key, 0, 1.0, outcome, transaction_id)


def booked(
    *,
    happened: bool | None = True,
    transaction_id: str = ID,
    micros: int = AMOUNT_MICROS,
    key: str = "r-hot-pair-1-0",
) -> Booked:
    """Return a transfer in the books."""
    return Booked(key, transaction_id, happened, micros)


@pytest.mark.parametrize(
    ("told", "books"),
    [
        (call("success", ID), [booked()]),
        (call("success", ID), [booked(happened=None)]),  # it completes after the response
        (call("refused:wallet-frozen", ID), [booked(happened=False)]),
        (call("refused:wallet-frozen"), []),
        (call("rejected:overloaded"), []),
        (call("unknown:timeout"), []),
        (call("unknown:timeout"), [booked()]),
        (call("unknown:timeout"), [booked(happened=False)]),
        (call("pending", ID), [booked()]),
        (call("pending", ID), [booked(happened=False)]),
    ],
    ids=lambda value: value.outcome if isinstance(value, Call) else str([one.happened for one in value]),
)
def test_an_answer_that_the_books_bear_out_passes(told: Call, books: list[Booked]) -> None:
    """Acknowledged transfers are in the books, refused ones are not, and unknown or pending ones may be."""
    assert violations(reconcile(Told("r", [told]), books)) == []


@pytest.mark.parametrize(
    ("told", "books", "broken"),
    [
        (call("success", ID), [], ONCE),
        (call("success", ID), [booked(happened=False)], ONCE),
        (
            call("success", ID),
            [booked(), booked(transaction_id=OTHER)],
            "every acknowledged transfer is in the books once",
        ),
        (
            call("success", ID),
            [booked(transaction_id=OTHER)],
            "every acknowledged transfer is in the books once",
        ),
        (
            call("success", ID),
            [booked(micros=AMOUNT_MICROS + 1)],
            "every acknowledged transfer is in the books once",
        ),
        (call("refused:wallet-frozen", ID), [booked()], "no refused transfer happened"),
        (call("rejected:overloaded"), [booked()], "no refused transfer happened"),
        (call("pending", ID), [], DECIDED),
        (
            call("unknown:timeout"),
            [booked(), booked(transaction_id=OTHER)],
            "every pending or unknown transfer is decided once",
        ),
        (call("unknown:timeout"), [booked(key="r-hot-pair-9-9")], "every transfer in the books was sent"),
        (call("error:http-500"), [], "every answer is one that the contract allows"),
    ],
)
def test_an_answer_that_the_books_deny_is_found(told: Call, books: list[Booked], broken: str) -> None:
    """A response that contradicts the books fails exactly one check."""
    checks = reconcile(Told("r", [told]), books)
    assert [check.name for check in checks if not check.passed] == [broken]


def test_a_call_without_a_line_is_unknown() -> None:
    """The books may have as many extra transfers as k6 counted without logging them."""
    books = [booked(key="r-hot-pair-1-1"), booked(key="r-hot-pair-1-2")]
    assert violations(reconcile(Told("r", [], unlogged=2), books)) == []
    assert len(violations(reconcile(Told("r", [], unlogged=1), books))) == 1


def test_where_connections_broke_a_rejected_call_may_have_been_sent_before() -> None:
    """If connections broke, a rejected call may be in the books once; without broken connections that fails."""
    rejected, twice = call("rejected:draining"), [booked(), booked(transaction_id=OTHER)]
    assert violations(reconcile(Told("r", [rejected], broken_off=True), [booked()])) == []
    assert violations(reconcile(Told("r", [rejected], broken_off=True), twice)) != []
    assert violations(reconcile(Told("r", [rejected]), [booked()])) != []
