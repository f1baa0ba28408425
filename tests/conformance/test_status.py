"""PUT and DELETE /wallets/{accountId}: freeze, unfreeze, close."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.names import new_account
from tests.blackbox.pairs import Pair
from tests.blackbox.problems import assert_problem
from tests.blackbox.reading import WalletState, wallet_state, whole_statement

OpenWallet = Callable[..., str]


def test_wallet_can_be_frozen_and_unfrozen(api: WalletApi, pair: Pair) -> None:
    """PUT returns 200 with the wallet. Freezing and unfreezing each take one version and move no money."""
    frozen = api.set_status(pair.payer, "frozen")
    assert (
        frozen.status,
        frozen.document["accountId"],
        frozen.document["status"],
        frozen.document["version"],
    ) == (200, pair.payer, "frozen", 2)
    assert api.transfer(pair.payer, pair.payee, 1).problem == "wallet-frozen"
    assert api.set_status(pair.payer, "active").document["version"] == 3
    assert api.transfer(pair.payer, pair.payee, 1).status == 201
    assert wallet_state(api, pair.payer) == WalletState(Decimal(99), 4, "active")


@pytest.mark.parametrize("status", ["active", "frozen"])
def test_unchanged_status_takes_no_version(api: WalletApi, open_wallet: OpenWallet, status: str) -> None:
    """PUT with the wallet's current status is a 200 and takes no version."""
    account = open_wallet(5, status=status)
    before = wallet_state(api, account)
    assert api.set_status(account, status).status == 200
    assert wallet_state(api, account) == before


def test_a_frozen_wallet_can_be_read(api: WalletApi, open_wallet: OpenWallet) -> None:
    """The balance and statement of a frozen wallet stay readable."""
    account = open_wallet(5, status="frozen")
    assert wallet_state(api, account) == WalletState(Decimal(5), 2, "frozen")
    assert len(whole_statement(api, account)) == 1


@pytest.mark.parametrize(
    "status", ["closed", "Active", "FROZEN", "", "deleted", " active", "active\n"], ids=repr
)
def test_other_statuses_are_invalid(api: WalletApi, still_pair: Pair, status: object) -> None:
    """PUT accepts only the statuses ``active`` and ``frozen``; others are a 422."""
    assert_problem(api.set_status(still_pair.payer, status), "invalid-request")


@pytest.mark.parametrize("status", ["active", "frozen"])
def test_an_empty_wallet_can_be_closed(api: WalletApi, open_wallet: OpenWallet, status: str) -> None:
    """DELETE of a wallet at balance 0, frozen or not, is a 200: status ``closed``, one new version."""
    account = open_wallet(0, status=status)
    version = wallet_state(api, account).version
    answer = api.close_wallet(account)
    assert (answer.status, answer.document["status"], answer.document["version"]) == (
        200,
        "closed",
        version + 1,
    )
    assert wallet_state(api, account) == WalletState(Decimal(), version + 1, "closed")


@pytest.mark.parametrize("status", ["active", "frozen"])
def test_a_wallet_with_money_cannot_be_closed(api: WalletApi, open_wallet: OpenWallet, status: str) -> None:
    """DELETE of a wallet with a balance above 0 is a 409, even at a millionth."""
    account = open_wallet("0.000001", status=status)
    before = wallet_state(api, account)
    assert_problem(api.close_wallet(account), "wallet-not-empty")
    assert wallet_state(api, account) == before


def test_second_close_takes_no_version(api: WalletApi, open_wallet: OpenWallet) -> None:
    """DELETE of a closed wallet is a 200 and takes no version."""
    account = open_wallet(0, status="closed")
    before = wallet_state(api, account)
    assert api.close_wallet(account).status == 200
    assert wallet_state(api, account) == before


@pytest.mark.parametrize("status", ["active", "frozen"])
def test_a_closed_wallet_stays_closed(api: WalletApi, open_wallet: OpenWallet, status: str) -> None:
    """PUT on a closed wallet is a 409."""
    account = open_wallet(0, status="closed")
    assert_problem(api.set_status(account, status), "wallet-closed")
    assert wallet_state(api, account).status == "closed"


def test_a_closed_name_is_never_reused(api: WalletApi, open_wallet: OpenWallet) -> None:
    """Opening a wallet with a closed wallet's name is a 409, in any currency."""
    account = open_wallet(0, status="closed")
    for currency in ("USD", "EUR"):
        assert_problem(api.open_wallet(account, currency, 5), "wallet-exists", "wallet-closed")
    assert wallet_state(api, account) == WalletState(Decimal(), 2, "closed")


def test_a_closed_wallet_keeps_its_history(api: WalletApi, pair: Pair) -> None:
    """A closed wallet stays readable: balance 0, status ``closed``, its statement and its past balances."""
    at = api.balance(pair.payer).document["lastUpdated"]
    api.transfer(pair.payer, pair.payee, 100)
    before = whole_statement(api, pair.payer)
    assert api.close_wallet(pair.payer).status == 200
    assert wallet_state(api, pair.payer) == WalletState(Decimal(), 3, "closed")
    assert whole_statement(api, pair.payer) == before
    assert api.balance(pair.payer, at=at).document["balance"] == 100


@pytest.mark.parametrize("account", ["@external", "a b", "é", "a" * 65])
def test_status_of_a_malformed_name_is_invalid(api: WalletApi, account: str) -> None:
    """PUT and DELETE of a malformed name or of the external account are a 422."""
    assert_problem(api.set_status(account, "frozen"), "invalid-request")
    assert_problem(api.close_wallet(account), "invalid-request")


def test_a_malformed_request_for_an_unknown_wallet_is_malformed(api: WalletApi) -> None:
    """Validation comes first: an invalid body is a 422 even if the wallet does not exist."""
    assert_problem(api.set_status(new_account(), "closed"), "invalid-request")
    assert_problem(api.deposit(new_account(), -1), "invalid-request")
