"""What the orchestrator and the workers say to each other: steps, their outcomes, and a few questions.

Messages travel as MessagePack. Every step may be sent again: its participant answers the first outcome.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from wallet_kernel.refusals import Refusal
from wallet_kernel.topology import Placement

EXTERNAL = "@external"

TransferKind = Literal["transfer", "opening", "deposit", "withdrawal"]
TransferState = Literal["debited", "completed", "refunded", "refused"]


def shard_path(placement: Placement) -> str:
    """The first part of the paths of a shard's worker: `/shards/0-of-2/1a2b3c4d`, with the slot table's fingerprint.

    A worker of another shard or another topology answers such a path with 421 and `Misdirected`.
    """
    topology = placement.topology
    return f"/shards/{placement.shard}-of-{topology.shards}/{topology.fingerprint}"


class Message(Struct, array_like=True, tag=True):
    """A message; its tag is the name of its class."""


class Misdirected(Message):
    """The answer (421) to what is meant for another shard or topology, or for the shard's writer. Nothing was done.

    It has the shard and topology of the worker that answers; a standby answers with its own, which are the expected.
    """

    shard: int
    shards: int
    slot_table: str


class Debit(Message):
    """Take the money from the payer and log the saga, in one local transaction. Compensated by Refund."""

    transfer_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None = None
    fingerprint: bytes | None = None


class Credit(Message):
    """Give the money to the payee, once; a refusal is remembered as well."""

    transfer_id: UUID
    from_account: str
    to_account: str
    amount_micros: int
    currency: str


class Complete(Message):
    """Note on the payer's side that the payee has been credited: the saga ends."""

    transfer_id: UUID
    from_account: str


class Refund(Message):
    """Give the money back to the payer because the credit was refused: the saga ends."""

    transfer_id: UUID
    from_account: str
    reason: Refusal


class Open(Message):
    """Open a wallet with a balance that comes from the external account."""

    transfer_id: UUID
    account_id: str
    balance_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None


class Deposit(Message):
    """Money from the external account into a wallet."""

    transfer_id: UUID
    account_id: str
    amount_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None


class Withdraw(Message):
    """Money out of a wallet to the external account."""

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
    """Close an empty wallet for good."""

    account_id: str


class Read(Message):
    """Read a wallet, in turn with the steps that change it, so that the cache is filled in order too."""

    account_id: str


class Pass(Message):
    """Change nothing. It is done when every step before it has been decided."""


Step = Debit | Credit | Complete | Refund | Open | Deposit | Withdraw | SetFrozen | Close | Read | Pass


def account_of(step: Step) -> str | None:
    """The wallet that a step works on; its shard performs the step. None for Pass."""
    match step:
        case Debit() | Complete() | Refund():
            return step.from_account
        case Credit():
            return step.to_account
        case Pass():
            return None
    return step.account_id


class Done(Message):
    """The step is durable (and was perhaps done earlier)."""


class Refused(Message):
    """The participant refused, durably; nothing but the refusal itself was recorded."""

    reason: Refusal


class Replayed(Message):
    """The transfer id or idempotency key was seen before: this is what became of that first transfer so far."""

    transfer: "TransferRecord"


class WalletState(Message):
    """A wallet as its shard holds it. `in_flight_micros` left it in transfers that have not ended."""

    account_id: str
    currency: str
    status: str
    balance_micros: int
    in_flight_micros: int
    version: int
    updated_at: datetime


class NotDone(Message):
    """The database could not take the step, and certainly has not. Send it again."""


class TurnedAway(Message):
    """The queue of the worker had no room for the step, so it was certainly not done."""


class Unknown(Message):
    """The database did not say whether the step was committed. Send it again."""


class InFlight(Message):
    """The answer to Close of a wallet that holds nothing, but some of its payments have not ended. Nothing was done."""


Outcome = Done | Refused | Replayed | WalletState | NotDone | TurnedAway | Unknown | InFlight


class TransferRecord(Message):
    """A row of the saga log: all that recovery needs."""

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
    """A row of the credit barrier; `reason` is None where the money was credited."""

    transfer_id: UUID
    reason: Refusal | None
    at: datetime


class LedgerEntry(Message):
    """A posting (or status change, which moves nothing) with the wallet's balance after it."""

    account_id: str
    version: int
    kind: str
    transfer_id: UUID | None
    amount_micros: int
    balance_micros: int
    counterparty: str | None
    at: datetime


class Claim(Message):
    """Give me up to `limit` unfinished sagas whose lease has run out, and lease them to me for `lease_s`."""

    limit: int
    lease_s: float


class OpenSagas(Message):
    """Up to `limit` transfers that a wallet paid and that have not ended, whether leased or not."""

    account_id: str
    limit: int


class BalanceAt(Message):
    """What did this wallet hold at that moment?"""

    account_id: str
    at: datetime


class Statement(Message):
    """Up to `limit` postings of a wallet below `before_version` (None: from the newest), newest first."""

    account_id: str
    limit: int
    before_version: int | None


class Lookup(Message):
    """The saga log's row, or the credit barrier's, of a transfer."""

    transfer_id: UUID


class Postings(Message):
    """A page of a wallet's postings, newest first."""

    entries: list[LedgerEntry]


class FutureMoment(Message):
    """The moment asked for has not come yet by the database's clock."""


BalanceAtAnswer = WalletState | Refused | FutureMoment
StatementAnswer = Postings | Refused
