"""The transfer saga on one screen: each step, its participant, the state after each outcome, and its compensation.

Sources: C. Richardson, "Microservices Patterns", ch. 4 (orchestrated sagas); H. Garcia-Molina and K. Salem, "Sagas"
(SIGMOD 1987). A saga lacks isolation: between debit and credit the money is in neither wallet, and readers can see
that it is in flight. Countermeasure: money in flight counts against the payer's balance limit and keeps the payer's
wallet open, so that a refund always succeeds. If one shard has both wallets, the saga is one transaction of that shard,
so its money is never in flight.
"""

from collections.abc import Callable
from enum import IntEnum, auto
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from wallet_kernel.refusals import Refusal
from wallet_saga.domain.commands import (
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Ended,
    Outcome,
    RefundTransfer,
    Refused,
    Replayed,
    TransferRecord,
    WalletCommand,
)


class State(IntEnum):
    """The state of a saga. If it is decided, the client can be answered. If it is ended, no step remains."""

    STARTED = auto()
    DEBITED = auto()
    CREDITED = auto()
    CREDIT_REFUSED = auto()
    COMPLETED = auto()
    REFUNDED = auto()
    REFUSED = auto()


class Saga(Struct, frozen=True):
    """A transfer and its state. `replayed` is True if an earlier request with the same idempotency key began it.

    `is_local` is True if one shard has both wallets.
    """

    transaction_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None
    state: State = State.STARTED
    reason: Refusal | None = None
    replayed: bool = False
    is_local: bool = False


class SagaStep(NamedTuple):
    """One step: its command, the state after success, and the state after a refusal."""

    command: Callable[[Saga], WalletCommand]
    done: State
    refused: State | None


def _debit_payer(saga: Saga) -> DebitWallet:
    return DebitWallet(
        transaction_id=saga.transaction_id,
        from_account=saga.from_account,
        to_account=saga.to_account,
        amount_micros=saga.amount_micros,
        currency=saga.currency,
        key=saga.key,
        fingerprint=saga.fingerprint,
        is_local=saga.is_local,
    )


def _credit_payee(saga: Saga) -> CreditWallet:
    return CreditWallet(
        saga.transaction_id, saga.from_account, saga.to_account, saga.amount_micros, saga.currency
    )


def _complete_at_payer(saga: Saga) -> CompleteTransfer:
    return CompleteTransfer(saga.transaction_id, saga.from_account)


def _refund_payer(saga: Saga) -> RefundTransfer:
    assert saga.reason is not None, "only a refused credit is compensated"
    return RefundTransfer(saga.transaction_id, saga.from_account, saga.reason)


TRANSFER_SAGA = {
    # state                         step                when done        when refused
    State.STARTED: SagaStep(_debit_payer, State.DEBITED, State.REFUSED),  # a local debit ends the saga: Ended
    State.DEBITED: SagaStep(_credit_payee, State.CREDITED, State.CREDIT_REFUSED),
    State.CREDITED: SagaStep(_complete_at_payer, State.COMPLETED, None),
    # The compensation of the debit:
    State.CREDIT_REFUSED: SagaStep(_refund_payer, State.REFUNDED, None),
}

DECIDED = frozenset({State.CREDITED, State.COMPLETED, State.REFUNDED, State.REFUSED})

_RECORDED = {
    "debited": State.DEBITED,
    "completed": State.COMPLETED,
    "refunded": State.REFUNDED,
    "refused": State.REFUSED,
}


def evolve(saga: Saga, outcome: Outcome) -> Saga:
    """Returns the saga after a step's outcome.

    A timeout is not an outcome: do not call this function for it. Raises KeyError if no step follows from the saga's
    state, and ValueError if the step cannot be refused.
    """
    step = TRANSFER_SAGA[saga.state]
    if isinstance(outcome, Ended):
        return replace(
            saga, state=State.REFUNDED if outcome.reason else State.COMPLETED, reason=outcome.reason
        )
    if isinstance(outcome, Replayed):
        return resumed(outcome.transfer, replayed=outcome.transfer.transaction_id != saga.transaction_id)
    if isinstance(outcome, Refused):
        if step.refused is None:
            raise ValueError(f"{saga.state.name} cannot be refused: {outcome.reason}")
        return replace(saga, state=step.refused, reason=outcome.reason)
    return replace(saga, state=step.done)


def resumed(record: TransferRecord, *, replayed: bool = False) -> Saga:
    """Returns the saga that a log row describes, so that a duplicate request or recovery can continue it."""
    return Saga(
        transaction_id=record.transaction_id,
        from_account=record.from_account,
        to_account=record.to_account,
        amount_micros=record.amount_micros,
        currency=record.currency,
        key=record.key,
        fingerprint=record.fingerprint,
        state=_RECORDED[record.state],
        reason=record.reason,
        replayed=replayed,
    )
