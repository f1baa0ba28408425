"""POST /wallets/balanceTransfer that succeeds, and its effects."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tests.blackbox.api import WalletApi
from tests.blackbox.pairs import Pair
from tests.blackbox.reading import WalletState, net_effect, wallet_state, whole_statement


def test_a_transfer_succeeds_once_both_sides_are_durable(api: WalletApi, pair: Pair) -> None:
    """Success is a 201 ``{status: "success", transactionId}``, and both balances and versions have changed by then."""
    answer = api.transfer(pair.payer, pair.payee, Decimal("10.234"))
    assert answer.status == 201
    assert answer.headers["content-type"].startswith("application/json")
    assert set(answer.document) - {"position"} == {"status", "transactionId"}
    assert answer.document["status"] == "success"
    assert wallet_state(api, pair.payer) == WalletState(Decimal("89.766"), 2, "active")
    assert wallet_state(api, pair.payee) == WalletState(Decimal("60.234"), 2, "active")


def test_first_answer_is_not_marked_as_a_replay(api: WalletApi, pair: Pair) -> None:
    """First answers have no ``Idempotent-Replayed`` header."""
    assert not api.transfer(pair.payer, pair.payee, 1).replayed
    assert not api.transfer(pair.payer, pair.payee, 1, key="a-first-time").replayed


def test_a_balance_says_when_it_last_changed(api: WalletApi, pair: Pair) -> None:
    """LastUpdated is RFC 3339 with a zone and grows with a posting."""
    before = [
        datetime.fromisoformat(api.balance(name).document["lastUpdated"]) for name in (pair.payer, pair.payee)
    ]
    api.transfer(pair.payer, pair.payee, 1)
    after = [
        datetime.fromisoformat(api.balance(name).document["lastUpdated"]) for name in (pair.payer, pair.payee)
    ]
    assert all(moment.tzinfo is not None for moment in before + after)
    assert all(later > earlier for earlier, later in zip(before, after, strict=True))


def test_transfer_is_one_entry_in_each_statement(api: WalletApi, pair: Pair) -> None:
    """A transfer is one entry in each statement, negative for the payer. Each entry names the other as counterparty."""
    transaction = api.transfer(pair.payer, pair.payee, 7).transaction_id
    (paid, _), (received, _) = whole_statement(api, pair.payer), whole_statement(api, pair.payee)
    assert paid["transactionId"] == received["transactionId"] == transaction
    assert (paid["kind"], paid["amount"], paid["balance"], paid["version"], paid["counterparty"]) == (
        "transfer",
        -7,
        93,
        2,
        pair.payee,
    )
    assert (
        received["kind"],
        received["amount"],
        received["balance"],
        received["version"],
        received["counterparty"],
    ) == ("transfer", 7, 57, 2, pair.payer)


def test_a_whole_balance_may_be_transferred(api: WalletApi, pair: Pair) -> None:
    """A transfer may take the whole balance, and not a millionth more."""
    assert api.transfer(pair.payer, pair.payee, 100).status == 201
    assert api.balance(pair.payer).money("balance") == "0"
    assert api.transfer(pair.payer, pair.payee, Decimal("0.000001")).problem == "insufficient-funds"


def test_equal_transfers_without_a_key_all_happen(api: WalletApi, pair: Pair) -> None:
    """Without an Idempotency-Key, the same request sent twice makes two transfers."""
    first, second = (api.transfer(pair.payer, pair.payee, 5).transaction_id for _ in range(2))
    assert first != second
    assert wallet_state(api, pair.payer).balance == 90


def test_versions_grow_by_one_with_every_posting(api: WalletApi, pair: Pair) -> None:
    """``version`` grows by exactly 1 with every posting of that wallet, in both directions."""
    for turn in range(1, 6):
        transaction = api.transfer(pair.payer, pair.payee, 1).transaction_id or ""
        assert net_effect(whole_statement(api, pair.payer), transaction) == -1
        api.transfer(pair.payee, pair.payer, 1)
        assert (wallet_state(api, pair.payer).version, wallet_state(api, pair.payee).version) == (
            1 + 2 * turn,
            1 + 2 * turn,
        )


def test_many_transfers_move_their_sum(api: WalletApi, pair: Pair) -> None:
    """Twenty transfers of different amounts move exactly their sum, and each has its own id."""
    amounts = [Decimal(number).scaleb(-3) for number in range(1, 21)]
    ids = {api.transfer(pair.payer, pair.payee, amount).transaction_id for amount in amounts}
    assert len(ids) == 20
    assert wallet_state(api, pair.payee) == WalletState(50 + sum(amounts, Decimal()), 21, "active")
