"""The participants' decisions: given these batch, when this step is decided, then this outcome and these postings."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from saga_support.decided import ID, NOW, given, holds, wallet, when

from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal
from wallet_saga.domain.batch import UNDATED, Batch
from wallet_saga.domain.commands import (
    ChangeStatus,
    CloseWallet,
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Deposit,
    Done,
    InFlight,
    OpenWallet,
    Outcome,
    ReadWallet,
    RefundTransfer,
    Refused,
    Replayed,
    TransferRecord,
    WalletState,
    Withdraw,
)


def zero_sum(batch: Batch) -> bool:
    moved = sum(w.balance_delta for w in batch.wallets.values())
    return moved + sum(batch.system_changes.values()) == 0


def debit(
    amount: int = 30, transaction_id: UUID = ID, key: str | None = None, meaning: bytes | None = None
) -> DebitWallet:
    return DebitWallet(transaction_id, "w", "payee", amount, "USD", key, meaning)


def credit(amount: int = 30, transaction_id: UUID = ID) -> CreditWallet:
    return CreditWallet(transaction_id, "payer", "w", amount, "USD")


def test_debit_takes_the_money_and_opens_the_saga() -> None:
    """A debit lowers the balance, puts the money in flight, logs an open saga, and keeps the batch balanced."""
    batch = given(wallet())
    assert when(batch, debit()) == [Done()]
    assert holds(batch, "w") == (70, 30, 2)
    assert batch.new_transfers[ID].state == "debited"
    assert batch.system_changes == {("@transit", "USD"): 30}
    assert [(e.amount_micros, e.balance_micros, e.counterparty) for e in batch.new_entries] == [
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
def test_refused_debit_is_logged_and_moves_no_money(
    wallets: tuple[WalletState, ...], reason: Refusal
) -> None:
    """A refused debit is logged with its reason; balances, versions and the ledger do not change."""
    batch = given(*wallets)
    assert when(batch, debit()) == [Refused(reason)]
    assert (batch.new_transfers[ID].state, batch.new_transfers[ID].reason) == ("refused", reason)
    assert not batch.new_entries
    assert not any(w.changed for w in batch.wallets.values())


@pytest.mark.parametrize(("wallets", "reason"), _UNFIT)
def test_reasons_are_checked_in_a_fixed_order(wallets: tuple[WalletState, ...], reason: Refusal) -> None:
    """Unknown, closed, frozen and currency are checked before funds, so the reason is the same for any amount."""
    assert when(given(*wallets), debit(10**9)) == [Refused(reason)]


def test_the_last_cent_can_be_spent_but_not_twice() -> None:
    """A step sees the changes of the earlier steps in its batch."""
    batch = given(wallet(balance=30))
    assert when(batch, debit(), debit(transaction_id=uuid4())) == [
        Done(),
        Refused(Refusal.INSUFFICIENT_FUNDS),
    ]
    assert holds(batch, "w") == (0, 30, 2)


def test_smaller_debit_succeeds_after_a_refused_one() -> None:
    """If a debit is refused, a smaller debit after it in the batch can still succeed."""
    batch = given(wallet(balance=30))
    outcomes = when(batch, debit(31), debit(30, uuid4()))
    assert outcomes == [Refused(Refusal.INSUFFICIENT_FUNDS), Done()]


def test_duplicate_debit_gets_the_first_outcome_and_moves_no_money() -> None:
    """A duplicate debit gets the first transfer from the log and takes nothing, also within one batch."""
    batch = given(wallet())
    first, second = when(batch, debit(), debit())
    assert first == Done()
    assert isinstance(second, Replayed)
    assert second.transfer.state == "debited"
    assert holds(batch, "w") == (70, 30, 2)


def test_same_key_replays_the_first_transfer() -> None:
    """The same key with another id replays the first transfer; with another request it is refused and not logged."""
    batch = given(wallet())
    other = uuid4()
    when(batch, debit(key="k", meaning=b"same"))
    again, changed = when(batch, debit(30, other, "k", b"same"), debit(31, other, "k", b"other"))
    assert isinstance(again, Replayed)
    assert again.transfer.transaction_id == ID
    assert changed == Refused(Refusal.KEY_REUSED)
    assert other not in batch.new_transfers
    assert holds(batch, "w") == (70, 30, 2)


def test_same_key_replays_a_refusal_although_funds_are_now_sufficient() -> None:
    """A retry with the key of a refused debit gets the refusal again, also if the debit would now succeed."""
    batch = given(wallet(balance=0))
    deposited = Deposit(uuid4(), "w", 100, "USD", None, None)
    outcomes = when(batch, debit(key="k", meaning=b"m"), deposited, debit(30, uuid4(), "k", b"m"))
    assert outcomes[:2] == [Refused(Refusal.INSUFFICIENT_FUNDS), Done()]
    assert isinstance(outcomes[2], Replayed)
    assert outcomes[2].transfer.reason == Refusal.INSUFFICIENT_FUNDS


def test_duplicate_credit_moves_no_money() -> None:
    """The barrier lets the first credit pass; duplicates get the same outcome and move no money."""
    batch = given(wallet())
    assert when(batch, credit(), credit(), credit()) == [Done()] * 3
    assert holds(batch, "w") == (130, 0, 2)
    assert zero_sum(batch)


@pytest.mark.parametrize(
    ("wallets", "reason"), [*_UNFIT, ((wallet(balance=AMOUNT_MAX_MICROS - 29),), Refusal.BALANCE_LIMIT)]
)
def test_a_refused_credit_stays_refused(wallets: tuple[WalletState, ...], reason: Refusal) -> None:
    """A refused credit stays refused, also if its cause is gone, because the payer may have been refunded."""
    batch = given(*wallets)
    assert when(batch, credit()) == [Refused(reason)]
    batch.wallets["w"] = given(wallet()).wallets["w"]  # removes the cause of the refusal
    assert when(batch, credit()) == [Refused(reason)]
    assert holds(batch, "w") == (100, 0, 1)


def test_credit_leaves_room_for_refunds_below_the_limit() -> None:
    """Money in flight counts against the payee's balance limit, so that a refund always fits."""
    batch = given(wallet(balance=AMOUNT_MAX_MICROS - 40, in_flight=30))
    assert when(batch, credit(11), credit(10, uuid4())) == [Refused(Refusal.BALANCE_LIMIT), Done()]


def test_duplicate_complete_changes_nothing() -> None:
    """Complete ends the money in flight without changing the balance, and a duplicate changes nothing."""
    batch = given(wallet())
    when(batch, debit(), CompleteTransfer(ID, "w"))
    assert holds(batch, "w") == (70, 0, 2)
    assert batch.new_transfers[ID].state == "completed"
    assert when(batch, CompleteTransfer(ID, "w")) == [Done()]
    assert holds(batch, "w") == (70, 0, 2)


def test_duplicate_refund_adds_nothing() -> None:
    """The refund adds the amount to the current balance, and a duplicate adds nothing."""
    batch = given(wallet())
    refund = RefundTransfer(ID, "w", Refusal.WALLET_FROZEN)
    outcomes = when(batch, debit(), Deposit(uuid4(), "w", 5, "USD", None, None), refund, refund)
    assert outcomes == [Done()] * 4
    assert holds(batch, "w") == (105, 0, 4)
    assert (batch.new_transfers[ID].state, batch.new_transfers[ID].reason) == (
        "refunded",
        Refusal.WALLET_FROZEN,
    )


def test_a_frozen_payer_gets_its_refund() -> None:
    """A refund is not refused if the payer is frozen."""
    batch = given(wallet())
    when(batch, debit(), ChangeStatus("w", frozen=True), RefundTransfer(ID, "w", Refusal.WALLET_CLOSED))
    assert holds(batch, "w") == (100, 0, 4)


@pytest.mark.parametrize(
    "late",
    [RefundTransfer(ID, "w", Refusal.WALLET_FROZEN), CompleteTransfer(ID, "w")],
    ids=["refund", "complete"],
)
def test_ended_saga_is_neither_refunded_nor_completed(late: Command) -> None:
    """A refund after completion, or Complete after a refund, changes nothing."""
    first = (
        CompleteTransfer(ID, "w")
        if isinstance(late, RefundTransfer)
        else RefundTransfer(ID, "w", Refusal.WALLET_FROZEN)
    )
    batch = given(wallet())
    when(batch, debit(), first)
    before = holds(batch, "w")
    assert when(batch, late) == [Done()]
    assert holds(batch, "w") == before


@pytest.mark.parametrize("step", [RefundTransfer(ID, "w", Refusal.WALLET_FROZEN), CompleteTransfer(ID, "w")])
def test_refund_without_a_debit_moves_no_money(step: Command) -> None:
    """A refund or a completion without a debit finds no open saga and changes nothing."""
    batch = given(wallet())
    assert when(batch, step) == [Done()]
    assert holds(batch, "w") == (100, 0, 1)


def test_opening_balance_is_a_posting_from_the_external_account() -> None:
    """The opening balance is a posting from the external account and makes version 1."""
    batch = given()
    (outcome,) = when(batch, OpenWallet(ID, "new", 50, "EUR", None, None))
    assert outcome == WalletState("new", "EUR", "active", 50, 0, 1, NOW)
    assert batch.system_changes == {("@external", "EUR"): -50}
    assert batch.new_entries[0].kind == "opening"


@pytest.mark.parametrize("status", ["active", "frozen", "closed"])
def test_a_name_is_never_used_twice(status: str) -> None:
    """A wallet name cannot be opened again, also if the wallet is closed."""
    batch = given(wallet(balance=0, status=status))
    assert when(batch, OpenWallet(ID, "w", 0, "USD", None, None)) == [Refused(Refusal.WALLET_EXISTS)]


def test_deposit_and_withdrawal_move_against_the_external_account() -> None:
    """Deposits and withdrawals end in their own transaction and are never in flight."""
    batch = given(wallet())
    deposit, withdrawal = (
        Deposit(ID, "w", 5, "USD", None, None),
        Withdraw(uuid4(), "w", 105, "USD", None, None),
    )
    assert when(batch, deposit, withdrawal) == [Done(), Done()]
    assert holds(batch, "w") == (0, 0, 3)
    assert batch.system_changes == {("@external", "USD"): 100}
    assert {t.state for t in batch.new_transfers.values()} == {"completed"}


def test_freezing_adds_one_version_and_repeating_it_none() -> None:
    """A status change adds a ledger entry and a version; setting the current status again changes nothing."""
    batch = given(wallet())
    when(
        batch, ChangeStatus("w", frozen=True), ChangeStatus("w", frozen=True), ChangeStatus("w", frozen=False)
    )
    assert holds(batch, "w") == (100, 0, 3)
    assert [(e.kind, e.amount_micros) for e in batch.new_entries] == [("frozen", 0), ("unfrozen", 0)]


@pytest.mark.parametrize(
    ("balance", "in_flight", "outcome"),
    [
        (1, 0, Refused(Refusal.WALLET_NOT_EMPTY)),
        (1, 1, Refused(Refusal.WALLET_NOT_EMPTY)),
        (0, 1, InFlight()),
    ],
    ids=["here", "both", "in flight"],
)
def test_wallet_with_a_balance_or_money_in_flight_cannot_close(
    balance: int, in_flight: int, outcome: Outcome
) -> None:
    """A wallet with a balance or with money in flight cannot close, because a refund needs an open wallet."""
    batch = given(wallet(balance=balance, in_flight=in_flight))
    assert when(batch, CloseWallet("w")) == [outcome]
    assert not batch.changed


def test_empty_wallet_closes_and_never_opens_again() -> None:
    """An empty wallet, active or frozen, can close; closing again has the same outcome, and thawing is refused."""
    batch = given(wallet(balance=0, status="frozen"))
    first, again, thaw = when(batch, CloseWallet("w"), CloseWallet("w"), ChangeStatus("w", frozen=False))
    assert first == again == WalletState("w", "USD", "closed", 0, 0, 2, NOW)
    assert thaw == Refused(Refusal.WALLET_CLOSED)


@pytest.mark.parametrize("step", [ReadWallet("none"), CloseWallet("none"), ChangeStatus("none", frozen=True)])
def test_an_unknown_wallet_is_refused(step: Command) -> None:
    """Reading, closing or freezing an unknown wallet is refused."""
    assert when(given(), step) == [Refused(Refusal.WALLET_NOT_FOUND)]


def test_time_never_runs_backwards_within_a_wallet() -> None:
    """If the clock was set back, a posting gets the time of the wallet's last posting."""
    later = NOW + timedelta(hours=1)
    batch = given(WalletState("w", "USD", "active", 100, 0, 1, later))
    when(batch, debit())
    assert batch.new_entries[0].at == later


def test_changes_and_outcomes_get_the_time_at_which_they_were_written() -> None:
    """The database dates a batch. Its rows and the outcomes that show them get this time; older rows keep theirs."""
    old = TransferRecord(
        uuid4(), "deposit", "completed", "@external", "w", 1, "USD", None, None, None, NOW, NOW
    )
    later = NOW + timedelta(hours=1)
    batch = Batch.of(UNDATED, [wallet(), wallet("other")], [old])
    steps: list[Command] = [
        ReadWallet("w"),
        debit(),
        ReadWallet("w"),
        debit(),
        CompleteTransfer(ID, "w"),
        Deposit(old.transaction_id, "w", 1, "USD"),
        credit(transaction_id=uuid4()),
        ReadWallet("other"),
    ]
    outcomes = when(batch, *steps)
    batch.date(later, outcomes)
    before, _, after, debited, _, again, _, other = outcomes
    assert [shown.updated_at for shown in (before, after, other) if isinstance(shown, WalletState)] == [
        NOW,
        later,
        NOW,
    ]
    assert isinstance(debited, Replayed)
    assert isinstance(again, Replayed)
    assert (debited.transfer.started_at, debited.transfer.ended_at) == (later, None)
    assert (again.transfer.started_at, again.transfer.ended_at) == (NOW, NOW)
    assert (batch.new_transfers[ID].started_at, batch.new_transfers[ID].ended_at) == (later, later)
    assert [credit.at for credit in batch.new_credits] == [later]
    assert (batch.wallets["w"].updated_at, batch.wallets["other"].updated_at) == (later, NOW)


def test_completion_does_not_change_the_time_of_the_wallet() -> None:
    """Complete adds no ledger entry, so the wallet keeps the time of its last entry."""
    record = TransferRecord(ID, "transfer", "debited", "w", "payee", 30, "USD", None, None, None, NOW, None)
    batch = Batch.of(UNDATED, [wallet(in_flight=30)], [record])
    batch.date(NOW + timedelta(hours=1), when(batch, CompleteTransfer(ID, "w")))
    assert batch.wallets["w"].updated_at == NOW
