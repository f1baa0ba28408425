"""The decisions of the baselines, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from baselines_support.commands import opening, transfer, withdrawal

from wallet_baselines.batch import Batch
from wallet_baselines.records import MoveMoney
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


def batch(**micros: int) -> Batch:
    """Returns a batch with active wallets of these names and balances."""
    return Batch.of(
        NOW, [WalletView(name, "USD", amount, 1, "active", NOW) for name, amount in micros.items()], []
    )


def test_transfer_moves_money_and_adds_a_version_to_both_wallets() -> None:
    """A transfer makes two ledger entries that sum to 0, and one new version of each wallet."""
    books = batch(a=10, b=0)
    done = books.move(transfer("a", "b", 4))
    assert done.reason is None
    assert [(entry.account_id, entry.version, entry.amount_micros) for entry in books.entries] == [
        ("a", 2, -4),
        ("b", 2, 4),
    ]
    assert {name: wallet.balance_micros for name, wallet in books.changed.items()} == {"a": 6, "b": 4}


def test_later_commands_of_a_batch_see_earlier_ones() -> None:
    """Of three transfers of 5 from a wallet that holds 10, the third is refused."""
    books = batch(a=10, b=0)
    reasons = [books.move(transfer("a", "b", 5)).reason for _ in range(3)]
    assert reasons == [None, None, Refusal.INSUFFICIENT_FUNDS]
    assert books.wallets["a"].balance_micros == 0


def test_key_of_the_same_batch_returns_the_first_transfer() -> None:
    """The second command with a key changes nothing and gets the first transfer."""
    books = batch(a=10, b=0)
    first, again = (books.move(transfer("a", "b", 5, key="k")) for _ in range(2))
    assert again is first
    assert len(books.decided) == 1


@pytest.mark.parametrize(
    ("command", "reason", "refused_by"),
    [
        (transfer("none", "b", 1), Refusal.WALLET_NOT_FOUND, "none"),
        (transfer("a", "none", 1), Refusal.WALLET_NOT_FOUND, "none"),
        (transfer("a", "b", 11), Refusal.INSUFFICIENT_FUNDS, "a"),
        (transfer("a", "full", 1), Refusal.BALANCE_LIMIT, "full"),
        (withdrawal("a", 11), Refusal.INSUFFICIENT_FUNDS, "a"),
        (opening("a"), Refusal.WALLET_EXISTS, "a"),
    ],
)
def test_refusal_names_its_wallet_and_changes_nothing(
    command: MoveMoney, reason: Refusal, refused_by: str
) -> None:
    """A refusal is stored with its reason and the wallet that refused, and no entry is written."""
    books = batch(a=10, b=0, full=AMOUNT_MAX_MICROS)
    refused = books.move(command)
    assert (refused.reason, refused.refused_by) == (reason, refused_by)
    assert (books.decided, books.entries, books.changed, books.opened) == ([refused], [], {}, {})


def test_frozen_wallet_neither_pays_nor_is_paid() -> None:
    """After a freeze, transfers from and to the wallet are refused; after an unfreeze, they succeed."""
    books = batch(a=10, b=10)
    books.set_status("a", "frozen")
    assert books.move(transfer("a", "b", 1)).reason == Refusal.WALLET_FROZEN
    assert books.move(transfer("b", "a", 1)).reason == Refusal.WALLET_FROZEN
    books.set_status("a", "active")
    assert books.move(transfer("b", "a", 1)).reason is None


def test_only_an_empty_wallet_can_be_closed() -> None:
    """A close is refused while the wallet holds money. A closed wallet keeps its last version."""
    books = batch(a=10, b=0)
    assert books.set_status("a", "closed") == Refusal.WALLET_NOT_EMPTY
    closed = books.set_status("b", "closed")
    assert isinstance(closed, WalletView)
    assert (closed.status, closed.version) == ("closed", 2)
    assert books.set_status("b", "closed") == closed
    assert books.set_status("b", "frozen") == Refusal.WALLET_CLOSED


def test_time_of_a_wallet_never_runs_backwards() -> None:
    """If the clock was set back, a new version gets the time of the version before it."""
    books = Batch.of(NOW, [WalletView("a", "USD", 10, 1, "active", LATER)], [])
    books.move(withdrawal("a", 1))
    assert books.wallets["a"].updated_at == LATER


def test_external_account_mirrors_openings_and_withdrawals() -> None:
    """The external account changes by the opposite amount, so that the books sum to 0."""
    books = batch()
    books.move(opening("a", 10))
    books.move(withdrawal("a", 4))
    assert books.external == {"USD": -6}
    assert books.wallets["a"].balance_micros == 6
