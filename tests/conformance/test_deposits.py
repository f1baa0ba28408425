"""POST /wallets/{accountId}/deposits and /withdrawals: money that enters or leaves the system."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.exact import MICRO, MONEY_MAX
from tests.blackbox.problems import assert_problem
from tests.blackbox.reading import WalletState, wallet_state, whole_statement

OpenWallet = Callable[..., str]


@pytest.mark.parametrize(
    ("method", "kind", "after"),
    [("deposit", "deposit", Decimal("15.5")), ("withdraw", "withdrawal", Decimal("4.5"))],
)
def test_deposits_and_withdrawals_are_postings_against_the_external_account(
    api: WalletApi, open_wallet: OpenWallet, method: str, kind: str, after: Decimal
) -> None:
    """Success is a 201 ``{status: "success", transactionId}``, one posting against ``@external`` and one version."""
    account = open_wallet(10, "EUR")
    answer = getattr(api, method)(account, Decimal("5.5"), "EUR")
    assert answer.status == 201
    assert answer.document["status"] == "success"
    assert wallet_state(api, account) == WalletState(after, 2, "active")
    entry = whole_statement(api, account)[0]
    assert (entry["kind"], entry["amount"], entry["counterparty"]) == (kind, after - 10, "@external")
    assert entry["transactionId"] == answer.transaction_id


@pytest.mark.parametrize("method", ["deposit", "withdraw"])
def test_answer_shows_the_wallet_right_after_the_posting(
    api: WalletApi, open_wallet: OpenWallet, method: str
) -> None:
    """A wallet's name, currency, balance or version in the answer is as of right after this posting."""
    account = open_wallet(10)
    answer = getattr(api, method)(account, 1)
    truth = api.balance(account).document
    for member in ("accountId", "currency", "balance", "version"):
        assert answer.document.get(member, truth[member]) == truth[member]


def test_withdrawal_above_the_balance_is_refused(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A withdrawal above the balance is a 409, even by a millionth. A withdrawal of the whole balance succeeds."""
    account = open_wallet(10)
    assert_problem(api.withdraw(account, 10 + MICRO), "insufficient-funds")
    assert api.withdraw(account, 10).status == 201
    assert_problem(api.withdraw(account, MICRO), "insufficient-funds")
    assert wallet_state(api, account) == WalletState(Decimal(), 2, "active")


def test_deposit_beyond_the_limit_is_refused(api: WalletApi, open_wallet: OpenWallet) -> None:
    """A deposit that would exceed 9223372036854.775807 is a 409. A deposit up to exactly that limit succeeds."""
    account = open_wallet(str(MONEY_MAX - 1))
    assert_problem(api.deposit(account, 1 + MICRO), "balance-limit")
    assert_problem(api.deposit(account, MONEY_MAX), "balance-limit")
    assert api.deposit(account, 1).status == 201
    assert_problem(api.deposit(account, MICRO), "balance-limit")
    assert api.balance(account).money("balance") == str(MONEY_MAX)
    assert api.withdraw(account, MONEY_MAX).status == 201


@pytest.mark.parametrize("method", ["deposit", "withdraw"])
@pytest.mark.parametrize(
    ("wallet", "reason"),
    [
        ({"status": "frozen", "balance": "10"}, "wallet-frozen"),
        ({"status": "closed"}, "wallet-closed"),
        ({"currency": "EUR", "balance": "10"}, "currency-mismatch"),
        ({"status": "closed", "currency": "EUR"}, "wallet-closed"),
        ({"status": "frozen", "currency": "EUR", "balance": "10"}, "wallet-frozen"),
    ],
    ids=str,
)
def test_refusals_change_nothing(
    api: WalletApi, open_wallet: OpenWallet, method: str, wallet: dict[str, str], reason: str
) -> None:
    """Deposits and withdrawals with a frozen, closed or other-currency wallet are a 409 and take no version."""
    account = open_wallet(**wallet)
    before = wallet_state(api, account)
    assert_problem(getattr(api, method)(account, 1), reason)
    assert wallet_state(api, account) == before
