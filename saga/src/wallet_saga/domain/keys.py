"""Collects the keys of the rows that a batch needs, so that one statement can load them all. Pure, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from wallet_saga.messages import Close, Complete, Credit, Debit, Pass, Read, Refund, SetFrozen, Step


@dataclass(slots=True)
class BatchKeys:
    """The keys of the rows of one batch.

    `shown` are the accounts whose balance the cache must show after the batch. `transfers` are ids in the saga log,
    `idempotency` are pairs of owner and idempotency key, and `credits` are transfer ids in the credit barrier.
    """

    accounts: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    transfers: set[UUID] = field(default_factory=set)
    idempotency: set[tuple[str, str]] = field(default_factory=set)
    credits: set[UUID] = field(default_factory=set)


def keys_of(steps: Sequence[Step]) -> BatchKeys:
    """Returns the keys of all rows that these steps read or change."""
    keys = BatchKeys()
    for step in steps:
        _add(keys, step)
    keys.accounts |= keys.shown
    return keys


def _add(keys: BatchKeys, step: Step) -> None:
    if isinstance(step, Credit):
        keys.shown.add(step.to_account)
        keys.credits.add(step.transfer_id)
    elif isinstance(step, Complete):
        keys.accounts.add(step.from_account)
        keys.transfers.add(step.transfer_id)
    elif isinstance(step, Refund):
        keys.shown.add(step.from_account)
        keys.transfers.add(step.transfer_id)
    elif isinstance(step, SetFrozen | Close | Read):
        keys.shown.add(step.account_id)
    elif not isinstance(step, Pass):
        owner = step.from_account if isinstance(step, Debit) else step.account_id
        keys.shown.add(owner)
        keys.transfers.add(step.transfer_id)
        if step.key is not None:
            keys.idempotency.add((owner, step.key))
