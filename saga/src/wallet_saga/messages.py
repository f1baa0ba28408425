"""The messages between the orchestrator and the workers: steps, outcomes, and queries.

Messages are encoded as MessagePack. The orchestrator may send any step again. Steps with a transfer id are idempotent:
the participant then returns the first outcome.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from wallet_kernel.refusals import Refusal
from wallet_kernel.topology import Placement

TransferKind = Literal["transfer", "opening", "deposit", "withdrawal"]
TransferState = Literal["debited", "completed", "refunded", "refused"]


def shard_path(placement: Placement) -> str:
    """Returns the path prefix of a shard's worker: `/shards/0-of-2/1a2b3c4d`, with the slot table's fingerprint.

    A worker of another shard or topology answers a request to this path with 421 and `Misdirected`.
    """
    topology = placement.topology
    return f"/shards/{placement.shard}-of-{topology.shards}/{topology.fingerprint}"


class Message(Struct, array_like=True, tag=True):
    """Base class of all messages. The tag of a message is its class name."""


class Misdirected(Message):
    """Response (421) to a request for another shard or topology, or to a request that only the writer may serve.

    Nothing was done. The fields are the shard and the topology of the worker that answers. If a standby answers, they
    equal the expected ones.
    """

    shard: int
    shards: int
    slot_table: str


class Debit(Message):
    """Debit the payer and log the saga, in one local transaction. Refund compensates it."""

    transfer_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None


class Credit(Message):
    """Credit the payee once. The barrier stores the outcome, including a refusal."""

    transfer_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str


class Complete(Message):
    """Record on the payer's shard that the payee has been credited. This ends the saga."""

    transfer_id: UUID
    from_account: str


class Refund(Message):
    """Return the money to the payer because the credit was refused. This ends the saga."""

    transfer_id: UUID
    from_account: str
    reason: Refusal


class Open(Message):
    """Open a wallet. Its opening balance comes from the external account."""

    transfer_id: UUID
    account_id: str
    balance_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None


class Deposit(Message):
    """Move money from the external account into a wallet."""

    transfer_id: UUID
    account_id: str
    amount_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None


class Withdraw(Message):
    """Move money from a wallet to the external account."""

    transfer_id: UUID
    account_id: str
    amount_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None


class SetFrozen(Message):
    """Freeze or unfreeze a wallet."""

    account_id: str
    frozen: bool


class Close(Message):
    """Close an empty wallet permanently."""

    account_id: str


class Read(Message):
    """Read a wallet through the queue of the steps, so that cache entries are written in order of their versions."""

    account_id: str


class Pass(Message):
    """Change nothing. The outcome Done means that every earlier step in the queue has been decided."""


Step = Debit | Credit | Complete | Refund | Open | Deposit | Withdraw | SetFrozen | Close | Read | Pass


def account_of(step: Step) -> str | None:
    """Returns the wallet that a step reads or changes; its shard performs the step. None for Pass."""
    match step:
        case Debit() | Complete() | Refund():
            return step.from_account
        case Credit():
            return step.to_account
        case Pass():
            return None
    return step.account_id


class Done(Message):
    """The step is durable. It may have been done by an earlier attempt."""


class Refused(Message):
    """The participant refused the step and moved no money. The log or the barrier stores the refusal of a payment."""

    reason: Refusal


class Replayed(Message):
    """The log already has the transfer id or idempotency key. `transfer` is the current record of that transfer."""

    transfer: "TransferRecord"


class WalletState(Message):
    """A wallet as its shard stores it. `in_flight_micros` is the amount debited for transfers that have not ended."""

    account_id: str
    currency: str
    status: str
    balance_micros: int
    in_flight_micros: int
    version: int
    updated_at: datetime


class NotDone(Message):
    """The step was certainly not done: the database was out of reach or rejected it, or it waited too long to begin."""


class TurnedAway(Message):
    """The worker's queue was full, so the step was certainly not done."""


class Unknown(Message):
    """The database did not confirm the commit, so the step may have been done. Send it again."""


class InFlight(Message):
    """Outcome of Close if the balance is 0 but some transfers of the wallet have not ended. Nothing was done."""


Outcome = Done | Refused | Replayed | WalletState | NotDone | TurnedAway | Unknown | InFlight


class TransferRecord(Message):
    """A row of the saga log. It holds everything that recovery needs."""

    transfer_id: UUID
    kind: TransferKind
    state: TransferState
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None
    reason: Refusal | None
    started_at: datetime
    ended_at: datetime | None


class CreditRecord(Message):
    """A row of the credit barrier. `reason` is None if the payee was credited."""

    transfer_id: UUID
    reason: Refusal | None
    at: datetime


class LedgerEntry(Message):
    """A posting or a status change (amount 0), with the wallet's balance after it."""

    account_id: str
    version: int
    kind: str
    transfer_id: UUID | None
    amount_micros: int
    balance_micros: int
    counterparty: str | None
    at: datetime


class Claim(Message):
    """Lease up to `limit` unfinished sagas to the caller, for `lease_s` seconds.

    Their last lease has expired, and no orchestrator has claimed them for `expired_for_s` seconds since.
    """

    limit: int
    lease_s: float
    expired_for_s: float = 0.0


class OpenSagas(Message):
    """Query for up to `limit` unfinished transfers of a payer, whether they are leased or not."""

    account_id: str
    limit: int


class BalanceAt(Message):
    """Query for a wallet's balance at a past moment."""

    account_id: str
    at: datetime


class Statement(Message):
    """Query for up to `limit` postings of a wallet below `before_version` (None: from the newest), newest first."""

    account_id: str
    limit: int
    before_version: int | None


class Lookup(Message):
    """Query for a transfer's row in the saga log, or in the credit barrier."""

    transfer_id: UUID


class Postings(Message):
    """A page of a wallet's postings, newest first."""

    entries: list[LedgerEntry]


class FutureMoment(Message):
    """The requested moment is later than the database's clock."""


BalanceAtAnswer = WalletState | Refused | FutureMoment
StatementAnswer = Postings | Refused
