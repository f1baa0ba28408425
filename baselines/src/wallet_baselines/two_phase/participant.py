"""One shard's Postgres as a participant of two-phase commit."""

from asyncio import CancelledError
from contextlib import suppress
from datetime import timedelta
from typing import Literal
from uuid import UUID

import asyncpg
from msgspec.structs import astuple

from wallet_baselines.acid.wallets import AcidWallets
from wallet_baselines.batch import Batch
from wallet_baselines.records import Transfer
from wallet_baselines.settings import BaselineSettings
from wallet_baselines.store import sql, write
from wallet_baselines.wallets import NothingDone
from wallet_kernel.database import CommitUnknown
from wallet_kernel.topology import Placement

Decision = Literal["commit", "abort"]

RECOVERY_CONNECTIONS = 2


class Participant(AcidWallets):
    """The use cases within one shard, and its part of transfers between shards."""

    def __init__(self, url: str, placement: Placement, settings: BaselineSettings) -> None:
        # Recovery has its own connections, because all others may wait for the locks of an in-doubt transaction.
        super().__init__(url, placement, settings, recovery=RECOVERY_CONNECTIONS)

    async def prepare(self, connection: asyncpg.Connection, share: Batch, transaction_id: UUID) -> None:
        """Writes this shard's share and prepares the open transaction: it survives a crash and keeps its locks."""
        await write(connection, share)
        await connection.execute(f"PREPARE TRANSACTION '{self._name_of(transaction_id)}'")

    async def decide(self, connection: asyncpg.Connection, transfer: Transfer) -> None:
        """Records the decision about a transfer whose payer is on this shard. From then on it is final.

        Raises NothingDone if recovery decided to abort it, UniqueViolationError if another transfer has its
        idempotency key, and CommitUnknown if the decision may have been recorded.
        """
        decision: Decision = "abort" if transfer.reason else "commit"
        try:
            await connection.execute(sql("decide"), *astuple(transfer), decision)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == "decisions_pkey":
                raise NothingDone(NothingDone.__doc__) from error
            raise
        except (Exception, CancelledError) as error:  # after it was sent, every other error leaves it unknown
            raise CommitUnknown(repr(error)) from error

    async def finish(self, connection: asyncpg.Connection, transaction_id: UUID, decision: Decision) -> None:
        """Ends the prepared transaction of a transfer as decided, unless it has ended already."""
        verb = "COMMIT" if decision == "commit" else "ROLLBACK"
        with suppress(asyncpg.UndefinedObjectError):
            await connection.execute(f"{verb} PREPARED '{self._name_of(transaction_id)}'")

    async def is_prepared(self, transaction_id: UUID) -> bool:
        """Returns whether this shard's share of a transfer is prepared and not yet visible."""
        async with self.connection("reads") as connection:
            return bool(await connection.fetchval(sql("is_prepared"), self._name_of(transaction_id)))

    async def in_doubt(self, for_s: float) -> list[UUID]:
        """Returns the transfers whose share was prepared more than `for_s` seconds ago and has not ended."""
        async with self.connection("recovery") as connection:
            names = await connection.fetch(sql("in_doubt"), timedelta(seconds=for_s))
        return [UUID(name.split("/")[0]) for (name,) in names]

    async def settled_decision(self, transaction_id: UUID) -> Decision:
        """Returns the decision about a transfer whose payer is on this shard. Decides to abort if there is none."""
        async with self.connection("recovery") as connection:
            await connection.execute(sql("presume_abort"), transaction_id)
            decision: Decision = await connection.fetchval(
                "SELECT outcome FROM decisions WHERE transaction_id = $1", transaction_id
            )
        return decision

    async def settle(self, transaction_id: UUID, decision: Decision) -> None:
        """Ends the prepared transaction of a transfer, for recovery."""
        async with self.connection("recovery") as connection:
            await self.finish(connection, transaction_id, decision)

    def _name_of(self, transaction_id: UUID) -> str:
        """Returns the prepared transaction's name. It has the shard, because names are unique in a whole server."""
        return f"{transaction_id}/{self.shard}"
