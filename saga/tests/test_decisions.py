"""The participants' decisions: given these books, when this step is decided, then this outcome and these postings."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal
from wallet_saga.domain.batch import Books
from wallet_saga.domain.decisions import decide
from wallet_saga.messages import (
    Close,
    Complete,
    Credit,
    Debit,
    Deposit,
    Done,
    InFlight,
    Open,
    Outcome,
    Read,
    Refund,
    Refused,
    Replayed,
    SetFrozen,
    Step,
    WalletState,
    Withdraw,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = UUID(int=1)


def wallet(
    name: str = "w", balance: int = 100, *, status: str = "active", currency: str = "USD", in_flight: int = 0
) -> WalletState:
    return WalletState(name, currency, status, balance, in_flight, 1, NOW)


def given(*wallets: WalletState) -> Books:
    return Books.of(NOW, timedelta(seconds=5), wallets, [], [])


def when(books: Books, *steps: Step) -> list[Outcome]:
    return [decide(books, step) for step in steps]


def holds(books: Books, name: str) -> tuple[int, int, int]:
    found = books.wallets[name]
    return found.balance_micros, found.in_flight_micros, found.version


def zero_sum(books: Books) -> bool:
    moved = sum(w.balance_delta for w in books.wallets.values())
    return moved + sum(books.system_changes.values()) == 0


def debit(
    amount: int = 30, transfer_id: UUID = ID, key: str | None = None, meaning: bytes | None = None
) -> Debit:
    return Debit(transfer_id, "w", "payee", amount, "USD", key, meaning)


def credit(amount: int = 30, transfer_id: UUID = ID) -> Credit:
    return Credit(transfer_id, "payer", "w", amount, "USD")


def test_debit_takes_the_money_and_opens_the_saga() -> None:
    """A debit lowers the balance, puts the money in flight, logs an open saga, and keeps the books balanced."""
    books = given(wallet())
    assert when(books, debit()) == [Done()]
    assert holds(books, "w") == (70, 30, 2)
    assert books.new_transfers[ID].state == "debited"
    assert books.system_changes == {("@transit", "USD"): 30}
    assert [(e.amount_micros, e.balance_micros, e.counterparty) for e in books.new_entries] == [
        (-30, 70, "payee")
    ]


_UNFIT = [
    ((), Refusal.WALLET_NOT_FOUND),
    ((wallet(balance=0, status="closed"),), Refusal.WALLET_CLOSED),
    ((wallet(status="frozen"),), Refusal.WALLET_FROZEN),
    ((wallet(currency="EUR"),), Refusal.CURRENCY_MISMATCH),
]


@pytest.mark.parametrize(
    ("wallets", "reason"), [*_UNFIT, ((wallet(balance=29),), Refusal.INSUFFICIENT_FUNDS)]
)
def test_a_refused_debit_is_logged_and_changes_nothing_else(
    wallets: tuple[WalletState, ...], reason: Refusal
) -> None:
    """A refused debit is logged with its reason; balances, versions and the ledger do not change."""
    books = given(*wallets)
    assert when(books, debit()) == [Refused(reason)]
    assert (books.new_transfers[ID].state, books.new_transfers[ID].reason) == ("refused", reason)
    assert not books.new_entries
    assert not any(w.changed for w in books.wallets.values())


@pytest.mark.parametrize(("wallets", "reason"), _UNFIT)
def test_checks_come_in_one_order(wallets: tuple[WalletState, ...], reason: Refusal) -> None:
    """Unknown, closed, frozen and currency are checked before funds, so the reason is the same for any amount."""
    assert when(given(*wallets), debit(10**9)) == [Refused(reason)]


def test_the_last_cent_can_be_spent_but_not_twice() -> None:
    """A step sees the changes of the earlier steps in its batch."""
    books = given(wallet(balance=30))
    assert when(books, debit(), debit(transfer_id=uuid4())) == [Done(), Refused(Refusal.INSUFFICIENT_FUNDS)]
    assert holds(books, "w") == (0, 30, 2)


def test_a_refusal_does_not_stop_a_smaller_debit_behind_it() -> None:
    """If a debit is refused, a smaller debit after it in the batch can still succeed."""
    books = given(wallet(balance=30))
    outcomes = when(books, debit(31), debit(30, uuid4()))
    assert outcomes == [Refused(Refusal.INSUFFICIENT_FUNDS), Done()]


def test_a_duplicate_debit_answers_the_first_and_takes_nothing() -> None:
    """A duplicate debit gets the first transfer from the log and takes nothing, also within one batch."""
    books = given(wallet())
    first, second = when(books, debit(), debit())
    assert first == Done()
    assert isinstance(second, Replayed)
    assert second.transfer.state == "debited"
    assert holds(books, "w") == (70, 30, 2)


def test_the_same_key_is_the_same_transfer() -> None:
    """The same key with another id replays the first transfer; with another request it is refused and not logged."""
    books = given(wallet())
    other = uuid4()
    when(books, debit(key="k", meaning=b"same"))
    again, changed = when(books, debit(30, other, "k", b"same"), debit(31, other, "k", b"other"))
    assert isinstance(again, Replayed)
    assert again.transfer.transfer_id == ID
    assert changed == Refused(Refusal.KEY_REUSED)
    assert other not in books.new_transfers
    assert holds(books, "w") == (70, 30, 2)


def test_a_refusal_is_replayed_by_its_key_even_when_it_would_now_succeed() -> None:
    """A retry with the key of a refused debit gets the refusal again, also if the debit would now succeed."""
    books = given(wallet(balance=0))
    deposited = Deposit(uuid4(), "w", 100, "USD", None, None)
    outcomes = when(books, debit(key="k", meaning=b"m"), deposited, debit(30, uuid4(), "k", b"m"))
    assert outcomes[:2] == [Refused(Refusal.INSUFFICIENT_FUNDS), Done()]
    assert isinstance(outcomes[2], Replayed)
    assert outcomes[2].transfer.reason == Refusal.INSUFFICIENT_FUNDS


def test_credit_gives_the_money_once() -> None:
    """The barrier lets the first credit pass; duplicates get the same outcome and move no money."""
    books = given(wallet())
    assert when(books, credit(), credit(), credit()) == [Done()] * 3
    assert holds(books, "w") == (130, 0, 2)
    assert zero_sum(books)


@pytest.mark.parametrize(
    ("wallets", "reason"), [*_UNFIT, ((wallet(balance=AMOUNT_MAX_MICROS - 29),), Refusal.BALANCE_LIMIT)]
)
def test_a_refused_credit_stays_refused(wallets: tuple[WalletState, ...], reason: Refusal) -> None:
    """A refused credit stays refused, also if its cause is gone, because the payer may have been refunded."""
    books = given(*wallets)
    assert when(books, credit()) == [Refused(reason)]
    books.wallets["w"] = given(wallet()).wallets["w"]  # removes the cause of the refusal
    assert when(books, credit()) == [Refused(reason)]
    assert holds(books, "w") == (100, 0, 1)


def test_a_credit_leaves_room_for_what_is_in_flight() -> None:
    """Money in flight counts against the payee's balance limit, so that a refund always fits."""
    books = given(wallet(balance=AMOUNT_MAX_MICROS - 40, in_flight=30))
    assert when(books, credit(11), credit(10, uuid4())) == [Refused(Refusal.BALANCE_LIMIT), Done()]


def test_complete_ends_the_saga_once() -> None:
    """Complete ends the money in flight without changing the balance, and a duplicate changes nothing."""
    books = given(wallet())
    when(books, debit(), Complete(ID, "w"))
    assert holds(books, "w") == (70, 0, 2)
    assert books.new_transfers[ID].state == "completed"
    assert when(books, Complete(ID, "w")) == [Done()]
    assert holds(books, "w") == (70, 0, 2)


def test_refund_compensates_once_by_adding_back() -> None:
    """The refund adds the amount to the current balance, and a duplicate adds nothing."""
    books = given(wallet())
    refund = Refund(ID, "w", Refusal.WALLET_FROZEN)
    outcomes = when(books, debit(), Deposit(uuid4(), "w", 5, "USD", None, None), refund, refund)
    assert outcomes == [Done()] * 4
    assert holds(books, "w") == (105, 0, 4)
    assert (books.new_transfers[ID].state, books.new_transfers[ID].reason) == (
        "refunded",
        Refusal.WALLET_FROZEN,
    )


def test_a_frozen_payer_gets_its_refund() -> None:
    """A refund is not refused if the payer is frozen."""
    books = given(wallet())
    when(books, debit(), SetFrozen("w", frozen=True), Refund(ID, "w", Refusal.WALLET_CLOSED))
    assert holds(books, "w") == (100, 0, 4)


@pytest.mark.parametrize(
    "late", [Refund(ID, "w", Refusal.WALLET_FROZEN), Complete(ID, "w")], ids=["refund", "complete"]
)
def test_an_ended_saga_is_not_ended_otherwise(late: Step) -> None:
    """A refund after completion, or Complete after a refund, changes nothing."""
    first = Complete(ID, "w") if isinstance(late, Refund) else Refund(ID, "w", Refusal.WALLET_FROZEN)
    books = given(wallet())
    when(books, debit(), first)
    before = holds(books, "w")
    assert when(books, late) == [Done()]
    assert holds(books, "w") == before


@pytest.mark.parametrize("step", [Refund(ID, "w", Refusal.WALLET_FROZEN), Complete(ID, "w")])
def test_a_refund_without_a_debit_gives_nothing(step: Step) -> None:
    """A Refund or Complete without a debit finds no open saga and changes nothing."""
    books = given(wallet())
    assert when(books, step) == [Done()]
    assert holds(books, "w") == (100, 0, 1)


def test_a_wallet_opens_with_a_posting_from_outside() -> None:
    """The opening balance is a posting from the external account and makes version 1."""
    books = given()
    (outcome,) = when(books, Open(ID, "new", 50, "EUR", None, None))
    assert outcome == WalletState("new", "EUR", "active", 50, 0, 1, NOW)
    assert books.system_changes == {("@external", "EUR"): -50}
    assert books.new_entries[0].kind == "opening"


@pytest.mark.parametrize("status", ["active", "frozen", "closed"])
def test_a_name_is_never_used_twice(status: str) -> None:
    """A wallet name cannot be opened again, also if the wallet is closed."""
    books = given(wallet(balance=0, status=status))
    assert when(books, Open(ID, "w", 0, "USD", None, None)) == [Refused(Refusal.WALLET_EXISTS)]


def test_deposit_and_withdrawal_move_against_the_external_account() -> None:
    """Deposits and withdrawals end in their own transaction and are never in flight."""
    books = given(wallet())
    deposit, withdrawal = (
        Deposit(ID, "w", 5, "USD", None, None),
        Withdraw(uuid4(), "w", 105, "USD", None, None),
    )
    assert when(books, deposit, withdrawal) == [Done(), Done()]
    assert holds(books, "w") == (0, 0, 3)
    assert books.system_changes == {("@external", "USD"): 100}
    assert {t.state for t in books.new_transfers.values()} == {"completed"}


def test_freezing_takes_a_version_and_again_changes_nothing() -> None:
    """A status change adds a ledger entry and a version; setting the current status again changes nothing."""
    books = given(wallet())
    when(books, SetFrozen("w", frozen=True), SetFrozen("w", frozen=True), SetFrozen("w", frozen=False))
    assert holds(books, "w") == (100, 0, 3)
    assert [(e.kind, e.amount_micros) for e in books.new_entries] == [("frozen", 0), ("unfrozen", 0)]


@pytest.mark.parametrize(
    ("balance", "in_flight", "outcome"),
    [
        (1, 0, Refused(Refusal.WALLET_NOT_EMPTY)),
        (1, 1, Refused(Refusal.WALLET_NOT_EMPTY)),
        (0, 1, InFlight()),
    ],
    ids=["here", "both", "in flight"],
)
def test_a_wallet_with_money_here_or_in_flight_cannot_close(
    balance: int, in_flight: int, outcome: Outcome
) -> None:
    """A wallet with a balance or with money in flight cannot close, because a refund needs an open wallet."""
    books = given(wallet(balance=balance, in_flight=in_flight))
    assert when(books, Close("w")) == [outcome]
    assert not books.changed


def test_an_empty_wallet_closes_for_good() -> None:
    """An empty wallet, active or frozen, can close; closing again has the same outcome, and thawing is refused."""
    books = given(wallet(balance=0, status="frozen"))
    first, again, thaw = when(books, Close("w"), Close("w"), SetFrozen("w", frozen=False))
    assert first == again == WalletState("w", "USD", "closed", 0, 0, 2, NOW)
    assert thaw == Refused(Refusal.WALLET_CLOSED)


@pytest.mark.parametrize("step", [Read("none"), Close("none"), SetFrozen("none", frozen=True)])
def test_an_unknown_wallet_is_refused(step: Step) -> None:
    """Reading, closing or freezing an unknown wallet is refused."""
    assert when(given(), step) == [Refused(Refusal.WALLET_NOT_FOUND)]


def test_time_never_runs_backwards_within_a_wallet() -> None:
    """If the clock was set back, a posting gets the time of the wallet's last posting."""
    later = NOW + timedelta(hours=1)
    books = given(WalletState("w", "USD", "active", 100, 0, 1, later))
    when(books, debit())
    assert books.new_entries[0].at == later
