"""Which rows a batch of steps works on: pure, so that one round trip can load them all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from wallet_saga.protocol import Close, Complete, Credit, Debit, Pass, Read, Refund, SetFrozen, Step


@dataclass(slots=True)
class BatchKeys:
    """Accounts, transfer ids in the saga log, (owner, idempotency key) pairs, and transfer ids behind the barrier."""

    accounts: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    transfers: set[UUID] = field(default_factory=set)
    idempotency: set[tuple[str, str]] = field(default_factory=set)
    credits: set[UUID] = field(default_factory=set)


def keys_of(steps: Sequence[Step]) -> BatchKeys:
    """The keys of all these steps. `shown` are the accounts whose balance a client may ask for after its answer."""
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
