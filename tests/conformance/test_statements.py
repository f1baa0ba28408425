"""GET /wallets/{accountId}/transactions: every posting, newest first, in pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.names import FAR, NEAR
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_complete, assert_problem
from tests.blackbox.reading import balance_of, page_of, unexplained, whole_statement

OpenWallet = Callable[..., str]
MEMBERS = {"transactionId", "kind", "amount", "balance", "version", "counterparty", "at"}


@pytest.fixture
def busy(api: WalletApi, open_wallet: OpenWallet) -> str:
    """A wallet with seven postings: its opening, and deposits of 1 to 6."""
    account = open_wallet(100)
    for amount in range(1, 7):
        assert api.deposit(account, amount).status == 201
    return account


def test_a_statement_lists_every_kind_of_posting(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A statement lists opening, transfer, deposit and withdrawal, newest first, with sign and counterparty."""
    account, other = open_wallet(100, slots=NEAR), open_wallet(100, slots=FAR)
    ids = [
        api.deposit(account, 5).transaction_id,
        api.withdraw(account, 3).transaction_id,
        api.transfer(account, other, 2).transaction_id,
        api.transfer(other, account, 1).transaction_id,
    ]
    entries = whole_statement(api, account)
    assert [(entry["kind"], entry["amount"], entry["counterparty"]) for entry in entries] == [
        ("transfer", 1, other),
        ("transfer", -2, other),
        ("withdrawal", -3, "@external"),
        ("deposit", 5, "@external"),
        ("opening", 100, "@external"),
    ]
    assert [entry["transactionId"] for entry in reversed(entries)][1:] == ids
    assert [entry["balance"] for entry in entries] == [101, 100, 102, 105, 100]
    assert [entry["version"] for entry in entries] == [5, 4, 3, 2, 1]


def test_an_entry_has_exactly_the_members_of_the_contract(api: WalletApi, busy: str) -> None:
    """Each entry is ``{transactionId, kind, amount, balance, version, counterparty, at}``; ``at`` has a zone."""
    page = page_of(api.statement(busy))
    assert set(page) - {"position"} <= {"items", "nextCursor"}
    for entry in page["items"]:
        assert set(entry) == MEMBERS
        assert datetime.fromisoformat(entry["at"]).tzinfo is not None


def test_entries_of_a_statement_sum_to_the_balance(api: WalletApi, busy: str) -> None:
    """Each entry's balance is the previous balance plus its amount, up to the wallet's balance."""
    assert unexplained(whole_statement(api, busy, limit=2), balance_of(api, busy)) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 500])
def test_pages_of_any_size_make_the_same_statement(api: WalletApi, busy: str, limit: int) -> None:
    """Following nextCursor to the end lists each entry once at any limit, and no page exceeds the limit."""
    assert whole_statement(api, busy, limit) == page_of(api.statement(busy, 500))["items"]
    assert len(page_of(api.statement(busy, limit))["items"]) == min(limit, 7)


def test_the_last_page_has_no_next_cursor(api: WalletApi, busy: str) -> None:
    """A page that contains all entries has no nextCursor."""
    assert page_of(api.statement(busy, 8)).get("nextCursor") is None


def test_default_page_size_is_fifty(api: WalletApi, open_wallet: OpenWallet) -> None:
    """The default ``limit`` is 50."""
    account = open_wallet(1)
    for _ in range(52):
        api.deposit(account, 1)
    assert len(page_of(api.statement(account))["items"]) == 50
    assert len(page_of(api.statement(account, 51))["items"]) == 51


@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "501",
        "-1",
        "abc",
        "1.5",
        "1e1",
        " 1",
        "",
        "%",
        "99999999999999999999",
        "\u0661",
        "NaN",
        "null",
        "1_0",
        "+1",
        "0x1",
    ],
)
def test_other_limits_are_invalid(api: WalletApi, still_pair: Pair, limit: str) -> None:
    """``limit`` must be a whole number from 1 to 500; anything else is a 422."""
    assert_problem(api.statement(still_pair.payer, limit), "invalid-request")


def test_largest_and_smallest_limits_are_accepted(api: WalletApi, busy: str) -> None:
    """``limit=500`` and ``limit=1`` are accepted."""
    assert (api.statement(busy, 500).status, api.statement(busy, 1).status) == (200, 200)


def test_a_cursor_neither_loses_nor_repeats_entries(api: WalletApi, busy: str) -> None:
    """Entries that arrive during paging do not shift the following pages."""
    expected = [entry["transactionId"] for entry in whole_statement(api, busy)]
    seen: list[Any] = []
    cursor: str | None = None
    for _ in range(4):
        page = page_of(api.statement(busy, 2, cursor))
        seen += [entry["transactionId"] for entry in page["items"]]
        cursor = page.get("nextCursor")
        api.deposit(busy, 1)
        api.withdraw(busy, Decimal("0.5"))
    assert (seen, cursor) == (expected, None)


def test_cursor_returns_the_same_page_again(api: WalletApi, busy: str) -> None:
    """A cursor returns the same page, any number of times."""
    cursor = page_of(api.statement(busy, 3))["nextCursor"]
    first = page_of(api.statement(busy, 3, cursor))["items"]
    api.deposit(busy, 1)
    assert page_of(api.statement(busy, 3, cursor))["items"] == first


@pytest.mark.parametrize(
    "cursor",
    [
        "garbage",
        "!",
        "-1",
        "%00",
        "\x00",
        "é",
        "null",
        "{}",
        "AAAA",
        "====",
        "a" * 5000,
        "' OR 1=1 --",
        "1.5",
        "🙂",
    ],
)
def test_malformed_cursors_are_invalid(api: WalletApi, still_pair: Pair, cursor: str) -> None:
    """An invalid cursor is a 422."""
    assert_problem(api.statement(still_pair.payer, cursor=cursor), "invalid-request")


@pytest.mark.parametrize(
    "cursor", ["0", "1", "99999999999999999999999999", "9223372036854775808", "MQ==", "MQ", "AQ==", ""]
)
def test_forged_cursor_causes_no_server_error(api: WalletApi, still_pair: Pair, cursor: str) -> None:
    """A well-formed cursor that the service never issued causes no server error."""
    answer = api.statement(still_pair.payer, cursor=cursor)
    assert answer.status in (200, 422), answer
    if answer.status == 422:
        assert_complete(answer)


def test_status_changes_have_no_entry(api: WalletApi, busy: str) -> None:
    """A statement lists only postings: a freeze takes a version but has no entry."""
    before = whole_statement(api, busy)
    api.set_status(busy, "frozen")
    assert whole_statement(api, busy) == before
    api.set_status(busy, "active")
    api.deposit(busy, 1)
    assert [entry["version"] for entry in whole_statement(api, busy)][:2] == [10, 7]
