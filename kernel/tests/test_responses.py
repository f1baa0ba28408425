"""Answers: exact numbers, the headers of the contract, and correct documents."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_kernel.contract import requests, responses
from wallet_kernel.contract.responses import StatementItem, TimelineEntry, TransferView, WalletView
from wallet_kernel.http import Request, Response

TRANSACTION = UUID("0199a0d4-7a00-8abc-8def-0123456789ab")
NOON = datetime(2026, 1, 31, 12, 0, 0, 500, UTC)
WALLET = WalletView("user1", "USD", 10_024_200_000, 3, "active", NOON)


def document(answer: Response) -> dict[str, object]:
    """Returns the answer's document, with numbers as text."""
    decoded: dict[str, object] = json.loads(answer.body, parse_float=Decimal)
    return decoded


def test_transfer_succeeded() -> None:
    """A successful transfer gets 201 with its transaction id; a replay is marked as a replay."""
    answer = responses.transfer_succeeded(TRANSACTION, replayed=False)
    assert (answer.status, answer.headers) == (201, ())
    assert document(answer) == {"status": "success", "transactionId": str(TRANSACTION)}
    replay = responses.transfer_succeeded(TRANSACTION, replayed=True)
    assert (replay.body, replay.headers) == (answer.body, ((b"idempotent-replayed", b"true"),))


def test_transfer_pending() -> None:
    """A pending transfer gets 202 with the URL of its outcome."""
    answer = responses.transfer_pending(TRANSACTION, replayed=True)
    assert answer.status == 202
    assert document(answer) == {"status": "pending", "transactionId": str(TRANSACTION)}
    assert dict(answer.headers) == {
        b"location": f"/transfers/{TRANSACTION}".encode(),
        b"idempotent-replayed": b"true",
    }


def test_wallet_documents() -> None:
    """The wallet document follows the contract; an opened wallet also has the id of its posting."""
    wallet = {
        "accountId": "user1",
        "currency": "USD",
        "balance": Decimal("10024.2"),
        "version": 3,
        "status": "active",
        "lastUpdated": "2026-01-31T12:00:00.000500Z",
    }
    assert document(responses.wallet_response(WALLET)) == wallet
    opened = responses.wallet_opened(TRANSACTION, WALLET, replayed=False)
    assert (opened.status, document(opened)) == (201, {"transactionId": str(TRANSACTION), **wallet})


@given(st.from_regex(requests.ACCOUNT_PATTERN[:-1], fullmatch=True), st.integers(0, 2**63 - 1))
def test_wallet_body_is_json_for_every_account_and_balance(account: str, balance: int) -> None:
    """The text formatted without an encoder equals an encoder's document."""
    view = WalletView(account, "USD", balance, 1, "active", NOON)
    decoded = json.loads(responses.wallet_body(view), parse_float=Decimal, parse_int=Decimal)
    assert decoded["accountId"] == account
    assert decoded["balance"] * 1_000_000 == balance


def test_transfer_document() -> None:
    """A transfer's document has its timeline, and a reason only if there is one."""
    view = TransferView(
        TRANSACTION,
        "pending",
        "user1",
        "user2",
        responses.money(10_234_000),
        "USD",
        [TimelineEntry("debit", responses.timestamp(NOON))],
    )
    assert b'"amount":10.234,' in responses.transfer_document(view).body
    decoded = document(responses.transfer_document(view))
    assert decoded["timeline"] == [{"step": "debit", "at": "2026-01-31T12:00:00.000500Z"}]
    assert "reason" not in decoded


def test_statement_pages_continue_where_they_ended() -> None:
    """The cursor of a page selects the postings older than its last one; the last page has no cursor."""
    item = StatementItem(TRANSACTION, "transfer", responses.money(-1), responses.money(0), 17, "user2", "")
    page = document(responses.statement_page([item], more=True))
    query = f"cursor={page['nextCursor']}".encode()
    asked = Request({"query_string": query, "path_params": {"accountId": "user1"}, "headers": []})
    assert requests.statement(asked).before_version == 17
    assert document(responses.statement_page([item], more=False))["nextCursor"] is None
    assert document(responses.statement_page([], more=False)) == {"items": [], "nextCursor": None}


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-01-31T12:00:00.000500Z"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), "2026-01-31T10:00:00.000000Z"),
    ],
)
def test_timestamps_are_utc_with_microseconds(moment: datetime, text: str) -> None:
    """Every time has the same width and zone, so that texts sort as times, and is a valid ?at=."""
    assert responses.timestamp(moment) == text
    assert requests.moment(Request({"query_string": f"at={text}".encode(), "headers": []})) == moment


def test_document_has_the_position_that_it_reflects() -> None:
    """`position` is added to the document; status and headers do not change."""
    plain = responses.transfer_succeeded(TRANSACTION, replayed=True)
    answer = responses.at_position(plain, 42)
    assert document(answer) == {**document(plain), "position": 42}
    assert (answer.status, answer.headers) == (plain.status, plain.headers)
