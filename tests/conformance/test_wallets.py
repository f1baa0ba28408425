"""POST /wallets: names, currencies, duplicates and the opening balance."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.blackbox.api import WalletApi, wallet_path
from tests.blackbox.exact import MONEY_MAX, Literal
from tests.blackbox.names import NEAR, new_account
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_complete, assert_problem
from tests.blackbox.reading import wallet_state, whole_statement

OpenWallet = Callable[..., str]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
BAD_NAMES: list[Any] = [
    "",
    "-a",
    ".a",
    "_a",
    ":a",
    "@external",
    "@anything",
    "a b",
    " a",
    "a ",
    "a/b",
    "a\\b",
    "a%20b",
    "a?b",
    "a#b",
    "a,b",
    "é",
    "ä1",
    "\u0430bc",
    "a\u200b",
    "\uff11\uff12",
    "a\n",
    "a\r\n",
    "a\t",
    "a\x00",
    "\x00",
    Literal(r'"\ud800"'),
    "a" * 65,
    "a" * 5000,
    None,
    1,
    Decimal("1.5"),
    True,
    [],
    ["a"],
    {},
    {"a": 1},
]


def test_a_new_wallet_answers_its_whole_document(api: WalletApi) -> None:
    """POST /wallets returns 201 with name, currency, balance, version 1, status, time and transaction."""
    account = new_account()
    answer = api.open_wallet(account, "EUR", Decimal("12.5"))
    assert answer.status == 201
    assert answer.headers["content-type"].startswith("application/json")
    document = answer.document
    assert (document["accountId"], document["currency"], document["balance"]) == (
        account,
        "EUR",
        Decimal("12.5"),
    )
    assert (document["version"], document["status"]) == (1, "active")
    assert RFC3339.fullmatch(document["lastUpdated"])
    assert answer.transaction_id


def test_a_new_wallet_can_be_read_at_once(api: WalletApi) -> None:
    """GET balance right after the creation returns 200 with the same document."""
    account = new_account()
    created = api.open_wallet(account, "GBP", Decimal("7.000001")).document
    read = api.balance(account)
    assert read.status == 200
    for member in ("accountId", "currency", "balance", "version", "status", "lastUpdated"):
        assert read.document[member] == created[member], member


def test_the_opening_balance_is_a_posting_from_the_external_account(api: WalletApi) -> None:
    """An opening balance is a posting of kind ``opening`` against ``@external``."""
    account = new_account()
    created = api.open_wallet(account, balance=Decimal("12.5"))
    (entry,) = whole_statement(api, account)
    assert (entry["kind"], entry["counterparty"]) == ("opening", "@external")
    assert (entry["amount"], entry["balance"], entry["version"]) == (Decimal("12.5"), Decimal("12.5"), 1)
    assert entry["transactionId"] == created.transaction_id


@pytest.mark.parametrize("balance", [None, 0, "0", Decimal("0.000000"), "0.00", Literal("0e5")])
def test_a_wallet_may_be_opened_empty(api: WalletApi, balance: object) -> None:
    """If the opening balance is left out or 0, the wallet has version 1, balance 0 and no posting."""
    account = new_account()
    answer = api.open_wallet(account, balance=balance)
    assert (answer.status, answer.money("balance"), answer.document["version"]) == (201, "0", 1)
    assert whole_statement(api, account) == []


def test_an_opening_balance_may_reach_the_limit(api: WalletApi) -> None:
    """An opening balance may be exactly 9223372036854.775807."""
    answer = api.open_wallet(new_account(), balance=MONEY_MAX)
    assert (answer.status, answer.money("balance")) == (201, str(MONEY_MAX))


def test_the_external_account_has_no_limit(open_wallet: OpenWallet) -> None:
    """The external account has no limit: three wallets with the largest balance open on one shard."""
    for _ in range(3):
        open_wallet(str(MONEY_MAX), slots=NEAR)


@pytest.mark.parametrize(
    "account", ["a", "7", "a" * 64, "A0._:@-", "user@example.org", "balancetransfer", "a..b", "0" * 64]
)
def test_names_within_the_pattern_are_accepted(api: WalletApi, account: str) -> None:
    """AccountId matches ``[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}``, and the name works in paths too."""
    answer = api.open_wallet(account)
    if answer.status != 201:
        assert_problem(answer, "wallet-exists")
    assert api.balance(account).document["accountId"] == account


@pytest.mark.parametrize("account", BAD_NAMES, ids=repr)
def test_names_outside_the_pattern_are_refused(api: WalletApi, account: object) -> None:
    """Any other accountId is a 422, for example a system name (``@external``), a trailing newline or a number."""
    assert_problem(api.open_wallet(account), "invalid-request")


@pytest.mark.parametrize(
    "account",
    ["@external", "balanceTransfer", "-a", "a b", "a\n", "é", "a" * 65, "a\x00", "a%"],
    ids=repr,
)
@pytest.mark.parametrize("end", ["/balance", "/transactions"])
def test_names_outside_the_pattern_are_refused_in_paths(api: WalletApi, account: str, end: str) -> None:
    """A malformed accountId in a path is a 422."""
    assert_problem(api.read(wallet_path(account) + end), "invalid-request")


@pytest.mark.parametrize("member", ["fromAccount", "toAccount"])
@pytest.mark.parametrize("account", BAD_NAMES, ids=repr)
def test_names_outside_the_pattern_neither_pay_nor_are_paid(
    api: WalletApi, member: str, account: object
) -> None:
    """A transfer that names a malformed account or the external account is a 422."""
    body = {"fromAccount": "a", "toAccount": "b", "amount": 1, "currency": "USD", member: account}
    assert_problem(api.write("POST", "/wallets/balanceTransfer", body), "invalid-request")


def test_second_wallet_of_a_name_is_refused(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A second wallet of the same name is a 409 in any currency, and the first wallet does not change."""
    account = open_wallet(5)
    before = wallet_state(api, account)
    for currency in ("USD", "EUR"):
        assert_problem(api.open_wallet(account, currency, 99), "wallet-exists")
    assert wallet_state(api, account) == before
    assert len(whole_statement(api, account)) == 1


def test_names_differ_by_case(api: WalletApi) -> None:
    """AccountId is case-sensitive: upper and lower case name two wallets."""
    lower = new_account()
    assert api.open_wallet(lower, balance=1).status == 201
    assert api.open_wallet(lower.upper(), balance=2).status == 201
    assert [api.balance(name).document["balance"] for name in (lower, lower.upper())] == [1, 2]


@pytest.mark.parametrize("currency", ["USD", "EUR", "GBP"])
def test_configured_currencies_are_accepted(api: WalletApi, currency: str) -> None:
    """The default currencies are USD, EUR and GBP; a wallet has one of them."""
    assert api.open_wallet(new_account(), currency).document["currency"] == currency


@pytest.mark.parametrize(
    "currency",
    ["XXX", "usd", "", " USD", "USD ", "USD\n", "US", "\uff35\uff33\uff24", None, 840, True, ["USD"], {}],
    ids=repr,
)
def test_other_currencies_are_refused(api: WalletApi, still_pair: Pair, currency: object) -> None:
    """An unconfigured currency is a 422 in every request that contains one, and changes nothing."""
    payer, payee = still_pair.payer, still_pair.payee
    assert_problem(api.open_wallet(new_account(), currency), "invalid-request")
    assert_problem(api.transfer(payer, payee, 1, currency), "invalid-request")
    assert_problem(api.deposit(payer, 1, currency), "invalid-request")
    assert_problem(api.withdraw(payer, 1, currency), "invalid-request")
    assert wallet_state(api, payer).version == wallet_state(api, payee).version == 1


def test_an_unknown_wallet_is_not_found(api: WalletApi) -> None:
    """An unknown wallet is a 404 on every route that names one."""
    account = new_account()
    answers = [
        api.balance(account),
        api.statement(account),
        api.deposit(account, 1),
        api.withdraw(account, 1),
        api.set_status(account, "frozen"),
        api.set_status(account, "active"),
        api.close_wallet(account),
    ]
    for answer in answers:
        assert_problem(answer, "wallet-not-found")
    assert_complete(api.balance(account, at="2020-01-01T00:00:00Z"))
