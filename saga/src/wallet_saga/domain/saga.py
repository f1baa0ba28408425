"""The transfer saga on one screen: each step, its participant, the state after each outcome, and its compensation.

Sources: C. Richardson, "Microservices Patterns", ch. 4 (orchestrated sagas); H. Garcia-Molina and K. Salem, "Sagas"
(SIGMOD 1987). A saga lacks isolation: between debit and credit the money is in neither wallet, and readers can see
that it is in flight. Countermeasure: money in flight counts against the payer's balance limit and keeps the payer's
wallet open, so that a refund always succeeds.
"""

from collections.abc import Callable
from enum import IntEnum, auto
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from wallet_kernel.refusals import Refusal
from wallet_saga.messages import (
    Complete,
    Credit,
    Debit,
    Outcome,
    Refund,
    Refused,
    Replayed,
    Step,
    TransferRecord,
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
    """A transfer and its state. `replayed` is True if an earlier request with the same idempotency key began it."""

    transfer_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None
    state: State = State.STARTED
    reason: Refusal | None = None
    replayed: bool = False


class SagaStep(NamedTuple):
    """One step: its participant, its message, the state after success, and the state after a refusal."""

    participant: Callable[[Saga], str]
    message: Callable[[Saga], Step]
    done: State
    refused: State | None


def _payer(saga: Saga) -> str:
    return saga.from_account


def _payee(saga: Saga) -> str:
    return saga.to_account


def _debit(s: Saga) -> Debit:
    return Debit(
        s.transfer_id, s.from_account, s.to_account, s.amount_micros, s.currency, s.key, s.fingerprint
    )


def _credit(s: Saga) -> Credit:
    return Credit(s.transfer_id, s.from_account, s.to_account, s.amount_micros, s.currency)


def _complete(s: Saga) -> Complete:
    return Complete(s.transfer_id, s.from_account)


def _refund(s: Saga) -> Refund:
    assert s.reason is not None, "only a refused credit is compensated"
    return Refund(s.transfer_id, s.from_account, s.reason)


TRANSFER_SAGA = {
    # state                         at      step       when done        when refused
    State.STARTED: SagaStep(_payer, _debit, State.DEBITED, State.REFUSED),
    State.DEBITED: SagaStep(_payee, _credit, State.CREDITED, State.CREDIT_REFUSED),
    State.CREDITED: SagaStep(_payer, _complete, State.COMPLETED, None),
    # The compensation of the debit:
    State.CREDIT_REFUSED: SagaStep(_payer, _refund, State.REFUNDED, None),
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
    if isinstance(outcome, Replayed):
        return resumed(outcome.transfer, replayed=outcome.transfer.transfer_id != saga.transfer_id)
    if isinstance(outcome, Refused):
        if step.refused is None:
            raise ValueError(f"{saga.state.name} cannot be refused: {outcome.reason}")
        return replace(saga, state=step.refused, reason=outcome.reason)
    return replace(saga, state=step.done)


def resumed(record: TransferRecord, *, replayed: bool = False) -> Saga:
    """Returns the saga that a log row describes, so that a duplicate request or recovery can continue it."""
    return Saga(
        record.transfer_id,
        record.from_account,
        record.to_account,
        record.amount_micros,
        record.currency,
        record.key,
        record.fingerprint,
        _RECORDED[record.state],
        record.reason,
        replayed,
    )
