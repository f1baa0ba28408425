"""The transfer saga on one screen: each step, where it runs, what follows from its outcome, and its compensation.

Orchestrated sagas: C. Richardson, "Microservices Patterns", ch. 4; the idea: H. Garcia-Molina and K. Salem, "Sagas"
(SIGMOD 1987). A saga lacks isolation: between debit and credit the money is in neither wallet (it is visible as in
flight). The countermeasure: what is in flight counts against the payer's limit, and keeps its wallet open, so that
a refund always succeeds.
"""

from collections.abc import Callable
from enum import IntEnum, auto
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from wallet_kernel.refusals import Refusal
from wallet_saga.protocol import (
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
    """How far a saga is. Decided: the client can be answered. Ended: nothing remains to be done."""

    STARTED = auto()
    DEBITED = auto()
    CREDITED = auto()
    CREDIT_REFUSED = auto()
    COMPLETED = auto()
    REFUNDED = auto()
    REFUSED = auto()


class Saga(Struct, frozen=True):
    """A transfer and how far it is. `replayed`: an earlier request with this idempotency key began it."""

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
    """One step: who performs it, the message, the state after success, and after a refusal."""

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
    # compensation of the debit:
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
    """The saga after a participant's answer. Raises KeyError if the saga has ended, ValueError for a wrong answer.

    A timeout is no outcome and must not come here: it says nothing about what happened.
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
    """The saga as its log has it; a duplicate request or the recovery drives it on from there."""
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
