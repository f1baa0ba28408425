"""The saga's decisions: given its state, when a participant returns an outcome, then this step is next."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace

from wallet_kernel.refusals import Refusal
from wallet_saga.domain.commands import (
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Done,
    Ended,
    RefundTransfer,
    Refused,
    Replayed,
    TransferRecord,
    TransferState,
    WalletCommand,
)
from wallet_saga.domain.saga import DECIDED, TRANSFER_SAGA, Saga, State, evolve, resumed

ID = UUID("01a20322-a5d3-8555-9dc2-e0c0cbefe7ff")
OTHER_ID = UUID("01a20322-aa38-8557-99d1-67e306af95fc")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def given(state: State, reason: Refusal | None = None) -> Saga:
    return Saga(ID, "payer", "payee", 10_234_000, "USD", "key", b"meaning", state, reason)


def next_command(saga: Saga) -> tuple[str, WalletCommand]:
    command = TRANSFER_SAGA[saga.state].command(saga)
    return command.account_id, command


def record(state: TransferState, transaction_id: UUID = ID, reason: Refusal | None = None) -> TransferRecord:
    return TransferRecord(
        transaction_id,
        "transfer",
        state,
        "payer",
        "payee",
        10_234_000,
        "USD",
        "key",
        b"meaning",
        reason,
        NOW,
        None,
    )


def test_saga_begins_with_the_debit_at_the_payer() -> None:
    """A started saga sends the debit to the payer's shard, with all data that recovery needs."""
    expected = DebitWallet(ID, "payer", "payee", 10_234_000, "USD", "key", b"meaning")
    assert next_command(given(State.STARTED)) == ("payer", expected)


def test_a_refused_debit_ends_the_saga() -> None:
    """If the debit is refused, the saga ends without compensation."""
    saga = evolve(given(State.STARTED), Refused(Refusal.INSUFFICIENT_FUNDS))
    assert (saga.state, saga.reason) == (State.REFUSED, Refusal.INSUFFICIENT_FUNDS)
    assert saga.state in DECIDED
    assert saga.state not in TRANSFER_SAGA


def test_the_credit_follows_the_debit() -> None:
    """After the debit, the saga sends the credit to the payee's shard."""
    saga = evolve(given(State.STARTED), Done())
    assert next_command(saga) == ("payee", CreditWallet(ID, "payer", "payee", 10_234_000, "USD"))
    assert saga.state not in DECIDED


def test_local_debit_ends_the_saga() -> None:
    """If one shard has both wallets, the debit is the only command, and its outcome ends the saga."""
    saga = replace(given(State.STARTED), is_local=True)
    expected = DebitWallet(ID, "payer", "payee", 10_234_000, "USD", "key", b"meaning", is_local=True)
    assert next_command(saga) == ("payer", expected)
    completed, refunded = evolve(saga, Ended()), evolve(saga, Ended(Refusal.WALLET_FROZEN))
    assert (completed.state, completed.reason) == (State.COMPLETED, None)
    assert (refunded.state, refunded.reason) == (State.REFUNDED, Refusal.WALLET_FROZEN)


def test_credit_follows_a_local_debit_of_an_earlier_version() -> None:
    """A worker of an earlier version answers Done to a local debit. The orchestrator then sends the credit."""
    saga = evolve(replace(given(State.STARTED), is_local=True), Done())
    assert next_command(saga) == ("payee", CreditWallet(ID, "payer", "payee", 10_234_000, "USD"))


def test_credit_decides_the_saga_and_complete_follows() -> None:
    """The credit decides the saga, so the client can be answered; Complete follows at the payer's shard."""
    saga = evolve(given(State.DEBITED), Done())
    assert saga.state in DECIDED
    assert next_command(saga) == ("payer", CompleteTransfer(ID, "payer"))
    assert evolve(saga, Done()).state is State.COMPLETED


@pytest.mark.parametrize(
    "reason",
    [
        Refusal.WALLET_NOT_FOUND,
        Refusal.WALLET_FROZEN,
        Refusal.WALLET_CLOSED,
        Refusal.CURRENCY_MISMATCH,
        Refusal.BALANCE_LIMIT,
    ],
)
def test_every_refused_credit_is_compensated(reason: Refusal) -> None:
    """If the credit is refused, the payer is refunded with that reason, and only the refund decides the saga."""
    saga = evolve(given(State.DEBITED), Refused(reason))
    assert saga.state not in DECIDED
    assert next_command(saga) == ("payer", RefundTransfer(ID, "payer", reason))
    refunded = evolve(saga, Done())
    assert (refunded.state, refunded.reason) == (State.REFUNDED, reason)
    assert refunded.state in DECIDED


@pytest.mark.parametrize("state", [State.CREDITED, State.CREDIT_REFUSED])
def test_completion_and_compensation_cannot_be_refused(state: State) -> None:
    """If a participant refuses to complete or to refund, ValueError is raised and the saga stays open for recovery."""
    with pytest.raises(ValueError, match="cannot be refused"):
        evolve(given(state, Refusal.WALLET_FROZEN), Refused(Refusal.WALLET_FROZEN))


@pytest.mark.parametrize("state", [State.COMPLETED, State.REFUNDED, State.REFUSED])
def test_an_ended_saga_has_no_next_step(state: State) -> None:
    """An ended saga accepts no outcome."""
    with pytest.raises(KeyError):
        evolve(given(state), Done())


def test_every_state_is_decided_or_has_a_next_step() -> None:
    """Every state is decided or has a next step, so no saga gets stuck."""
    assert all(state in DECIDED or state in TRANSFER_SAGA for state in State)


@pytest.mark.parametrize(
    ("logged", "state"),
    [
        ("debited", State.DEBITED),
        ("completed", State.COMPLETED),
        ("refunded", State.REFUNDED),
        ("refused", State.REFUSED),
    ],
)
def test_replayed_debit_continues_the_first_saga(logged: TransferState, state: State) -> None:
    """If the debit is a replay, the saga continues the first transfer from its logged state."""
    reason = Refusal.WALLET_FROZEN if logged in ("refunded", "refused") else None
    saga = evolve(given(State.STARTED), Replayed(record(logged, OTHER_ID, reason)))
    assert saga == replace(given(state, reason), transaction_id=OTHER_ID, replayed=True)


def test_debit_sent_again_by_its_orchestrator_is_no_replay() -> None:
    """If the orchestrator sends its own debit again after a lost reply, the client does not get a replay."""
    saga = evolve(given(State.STARTED), Replayed(record("debited")))
    assert (saga.state, saga.replayed) == (State.DEBITED, False)


def test_recovery_resumes_with_the_credit() -> None:
    """A log row is enough for recovery to send the same credit."""
    assert next_command(resumed(record("debited"))) == (
        "payee",
        CreditWallet(ID, "payer", "payee", 10_234_000, "USD"),
    )
