"""The messages between orchestrators and workers other than commands: the queries, and the paths of a shard."""

from datetime import datetime
from uuid import UUID

from wallet_kernel.topology import Placement
from wallet_saga.domain.batch import LedgerEntry
from wallet_saga.domain.commands import Message, Refused, WalletState


def shard_path(placement: Placement) -> str:
    """Returns the path prefix of a shard's worker: `/shards/0-of-2/1a2b3c4d`, with the slot table's fingerprint.

    A worker of another shard or topology answers a request to this path with 421 and `Misdirected`.
    """
    topology = placement.topology
    return f"/shards/{placement.shard}-of-{topology.shards}/{topology.fingerprint}"


class Misdirected(Message):
    """Response (421) to a request for another shard or topology, or to a request that only the writer may serve.

    Nothing was done. The fields are the shard and the topology of the worker that answers. If a standby answers, they
    equal the expected ones.
    """

    shard: int
    shards: int
    slot_table: str


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

    transaction_id: UUID


class Postings(Message):
    """A page of a wallet's postings, newest first."""

    entries: list[LedgerEntry]


class FutureMoment(Message):
    """The requested moment is later than the database's clock."""


BalanceAtAnswer = WalletState | Refused | FutureMoment
StatementAnswer = Postings | Refused
