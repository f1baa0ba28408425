"""The saga's decisions: given how far it is, when a participant answers, then this is next."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace

from wallet_kernel.refusals import Refusal
from wallet_saga.orchestrator.saga import DECIDED, TRANSFER_SAGA, Saga, State, evolve, resumed
from wallet_saga.protocol import (
    Complete,
    Credit,
    Debit,
    Done,
    Refund,
    Refused,
    Replayed,
    Step,
    TransferRecord,
    TransferState,
)

ID = UUID("01a20322-a5d3-8555-9dc2-e0c0cbefe7ff")
OTHER_ID = UUID("01a20322-aa38-8557-99d1-67e306af95fc")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def given(state: State, reason: Refusal | None = None) -> Saga:
    return Saga(ID, "payer", "payee", 10_234_000, "USD", "key", b"meaning", state, reason)


def next_message(saga: Saga) -> tuple[str, Step]:
    step = TRANSFER_SAGA[saga.state]
    return step.participant(saga), step.message(saga)


def record(state: TransferState, transfer_id: UUID = ID, reason: Refusal | None = None) -> TransferRecord:
    return TransferRecord(
        transfer_id,
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


def test_begins_with_the_debit_at_the_payer() -> None:
    """A started saga asks the payer's shard for the money, and hands over all that recovery needs."""
    expected = Debit(ID, "payer", "payee", 10_234_000, "USD", "key", b"meaning")
    assert next_message(given(State.STARTED)) == ("payer", expected)


def test_a_refused_debit_ends_the_saga() -> None:
    """Nothing was taken, so nothing is compensated."""
    saga = evolve(given(State.STARTED), Refused(Refusal.INSUFFICIENT_FUNDS))
    assert (saga.state, saga.reason) == (State.REFUSED, Refusal.INSUFFICIENT_FUNDS)
    assert saga.state in DECIDED
    assert saga.state not in TRANSFER_SAGA


def test_the_credit_follows_the_debit() -> None:
    """Once the money is taken it goes to the payee's shard."""
    saga = evolve(given(State.STARTED), Done())
    assert next_message(saga) == ("payee", Credit(ID, "payer", "payee", 10_234_000, "USD"))
    assert saga.state not in DECIDED


def test_a_credit_decides_and_completion_follows() -> None:
    """With both sides durable the client is answered; the log is completed after that."""
    saga = evolve(given(State.DEBITED), Done())
    assert saga.state in DECIDED
    assert next_message(saga) == ("payer", Complete(ID, "payer"))
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
    """Expect the credit, given its refusal, expect the refund at the payer with the reason; only then it is decided."""
    saga = evolve(given(State.DEBITED), Refused(reason))
    assert saga.state not in DECIDED
    assert next_message(saga) == ("payer", Refund(ID, "payer", reason))
    refunded = evolve(saga, Done())
    assert (refunded.state, refunded.reason) == (State.REFUNDED, reason)
    assert refunded.state in DECIDED


@pytest.mark.parametrize("state", [State.CREDITED, State.CREDIT_REFUSED])
def test_completion_and_compensation_cannot_be_refused(state: State) -> None:
    """A participant that refuses to end a saga is broken; the saga stays where it is, for recovery."""
    with pytest.raises(ValueError, match="cannot be refused"):
        evolve(given(state, Refusal.WALLET_FROZEN), Refused(Refusal.WALLET_FROZEN))


@pytest.mark.parametrize("state", [State.COMPLETED, State.REFUNDED, State.REFUSED])
def test_an_ended_saga_has_no_next_step(state: State) -> None:
    """What has ended cannot be moved any more."""
    with pytest.raises(KeyError):
        evolve(given(state), Done())


def test_every_state_is_decided_or_has_a_next_step() -> None:
    """No saga can be left where nobody would move it on."""
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
def test_a_duplicate_request_takes_over_the_first_ones_saga(logged: TransferState, state: State) -> None:
    """Given the key was seen, when the debit is replayed, then the first transfer is driven on from where it is."""
    reason = Refusal.WALLET_FROZEN if logged in ("refunded", "refused") else None
    saga = evolve(given(State.STARTED), Replayed(record(logged, OTHER_ID, reason)))
    assert saga == replace(given(state, reason), transfer_id=OTHER_ID, replayed=True)


def test_a_debit_sent_again_is_not_a_replay_for_its_client() -> None:
    """The orchestrator's own retry after a lost reply finds its own saga: the answer is a first answer."""
    saga = evolve(given(State.STARTED), Replayed(record("debited")))
    assert (saga.state, saga.replayed) == (State.DEBITED, False)


def test_recovery_resumes_with_the_credit() -> None:
    """The log of an abandoned saga is enough to send the very same credit."""
    assert next_message(resumed(record("debited"))) == (
        "payee",
        Credit(ID, "payer", "payee", 10_234_000, "USD"),
    )
