"""Writes one read shard in Postgres on one connection, with one transaction for each run of events."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Self
from uuid import UUID

import asyncpg

from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.projection import statements
from wallet_cqrs.read_model import LIVE_SCHEMA, Checkpoint, Fold
from wallet_kernel.database import Prepare, PrimaryConnection, columns, connect, require_writable, session
from wallet_kernel.runtime.ledger_metrics import IN_TRANSIT_BALANCES, TOTALS, Comparison, InTransit, Totals
from wallet_kernel.runtime.metrics import TRANSACTION

STATEMENT_TIMEOUT_S = 10.0
SUMMING_TIMEOUT_S = 60.0


class Transaction:
    """A transaction that holds the lock on the checkpoint. `checkpoint` and `stopped` are its values."""

    def __init__(self, connection: asyncpg.Connection, checkpoint: Checkpoint, stopped: str | None) -> None:
        self._connection = connection
        self.checkpoint = checkpoint
        self.stopped = stopped

    @property
    def position(self) -> int:
        """The position of the model, including the writes of this transaction."""
        return self.checkpoint.position

    async def fold(self, accounts: Collection[str]) -> Fold:
        """Loads the wallets of these accounts into a `Fold`."""
        rows = await self._connection.fetch(statements.WALLETS, list(accounts)) if accounts else []
        return Fold(Wallet(*row) for row in rows)

    async def write(self, fold: Fold, head: int) -> None:
        """Writes the changes of the fold, and the new position."""
        await self._connection.execute(
            statements.WRITE,
            *columns(fold.changed.values(), "account_id currency status balance_micros version updated_at"),
            *columns(
                fold.postings,
                "account_id version kind transaction_id amount_micros balance_micros counterparty at",
            ),
            [name for name, _ in fold.system_changes],
            [currency for _, currency in fold.system_changes],
            list(fold.system_changes.values()),
            head,
        )
        self.checkpoint = self.checkpoint._replace(position=head)


class Store:
    """A read model in one schema of a read shard. Use as an async context manager.

    `prepare` runs on every new connection before its first use. It compares the topology.
    """

    def __init__(self, url: str, schema: str = LIVE_SCHEMA, prepare: Prepare | None = None) -> None:
        self._url = url
        self._schema = schema
        settings = session(
            "wallet-projection",
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            # A paused projection must not hold the checkpoint's lock for longer than this.
            idle_in_transaction_session_timeout="10s",
            search_path=schema,
        )
        self._primary = PrimaryConnection(
            url, settings, statement_timeout_s=STATEMENT_TIMEOUT_S, prepare=prepare
        )
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._primary.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Locks the checkpoint. Commits at the end, or rolls back after an error. Passes on asyncpg's errors."""
        async with self._one_at_a_time, self._primary.use() as connection:
            with TRANSACTION.time():
                await connection.execute("BEGIN")
                row = await connection.fetchrow(statements.LOCK_CHECKPOINT)
                yield Transaction(connection, Checkpoint(row["position"], row["epoch"]), row["stopped"])
                await connection.execute("COMMIT")

    async def ping(self) -> None:
        """Raises if the read shard does not accept writes."""
        async with self._one_at_a_time, self._primary.use() as connection:
            await require_writable(connection)

    async def progress(self) -> tuple[int, str | None]:
        """Returns the position of the checkpoint, and the reason if the partition is stopped."""
        async with self._one_at_a_time, self._primary.use() as connection:
            row = await connection.fetchrow(statements.PROGRESS)
        return row["position"], row["stopped"]

    async def checkpoint(self) -> Checkpoint:
        """Returns the model's position and its epoch of the log."""
        async with self._one_at_a_time, self._primary.use() as connection:
            row = await connection.fetchrow(statements.PROGRESS)
        return Checkpoint(row["position"], row["epoch"])

    async def adopt(self, epoch: UUID, shared: int) -> None:
        """Sets the epoch of the checkpoint, unless the model is beyond `shared` meanwhile."""
        async with self._one_at_a_time, self._primary.use() as connection:
            await connection.execute(statements.ADOPT, epoch, shared)

    async def diverge(self, checkpoint: Checkpoint, reason: str) -> None:
        """Stops the partition and its reads, because the model has events that the log lost and must be rebuilt."""
        async with self._one_at_a_time, self._primary.use() as connection:
            await connection.execute(statements.DIVERGE, reason, *checkpoint)

    async def stop(self, reason: str) -> None:
        """Stops the partition, and stores the reason."""
        async with self._one_at_a_time, self._primary.use() as connection:
            await connection.execute(statements.STOP, reason)

    async def resume(self) -> bool:
        """Resumes the partition. It then reads the missed events from the event store.

        Returns False, and changes nothing, if the model has diverged.
        """
        async with self._one_at_a_time, self._primary.use() as connection:
            return bool(await connection.fetchval(statements.RESUME))

    async def in_transit(self) -> list[InTransit]:
        """Returns the balances of this shard's @transit accounts."""
        async with self._reading() as connection:
            return [InTransit(*row) for row in await connection.fetch(IN_TRANSIT_BALANCES)]

    async def compare(self, after: str, limit: int) -> Comparison:
        """Compares up to `limit` wallets after this name with their postings, in one snapshot."""
        async with self._reading() as connection:
            return Comparison(*await connection.fetchrow(statements.COMPARE, after, limit))

    async def totals(self) -> list[Totals]:
        """Returns the ledger's sums by currency. Reads every wallet."""
        async with self._reading() as connection:
            return [Totals(*row) for row in await connection.fetch(TOTALS)]

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[asyncpg.Connection]:
        """Opens a separate connection for checks, because their scans must not delay the projection."""
        connection = await connect(
            self._url,
            target_session_attrs="primary",
            command_timeout=SUMMING_TIMEOUT_S,
            server_settings={"application_name": "wallet-books", "jit": "off", "search_path": self._schema},
        )
        try:
            yield connection
        finally:
            await connection.close()
