"""Reads and writes one read shard in Postgres on one connection. One statement writes a run of events."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Self
from uuid import UUID

import asyncpg

from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.projection import statements
from wallet_cqrs.projection.known_model import ModelPart, ModelState
from wallet_cqrs.read_model import LIVE_SCHEMA, Checkpoint, Fold
from wallet_kernel.database import Prepare, PrimaryConnection, columns, connect, require_writable, session
from wallet_kernel.runtime.ledger_metrics import IN_TRANSIT_BALANCES, TOTALS, Comparison, InTransit, Totals
from wallet_kernel.runtime.metrics import TRANSACTION

STATEMENT_TIMEOUT_S = 10.0
SUMMING_TIMEOUT_S = 60.0


class Outdated(Exception):
    """The read model was not as expected, so nothing was written. Another process has changed it."""


class Store:
    """A read model in one schema of a read shard. Use as an async context manager.

    `prepare` runs on every new connection before its first use. It compares the topology.
    """

    def __init__(self, url: str, schema: str = LIVE_SCHEMA, prepare: Prepare | None = None) -> None:
        self._url = url
        self._schema = schema
        settings = session("wallet-projection", statement_timeout_s=STATEMENT_TIMEOUT_S, search_path=schema)
        self._primary = PrimaryConnection(
            url, settings, statement_timeout_s=STATEMENT_TIMEOUT_S, prepare=prepare
        )
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._primary.close()

    async def read(self, accounts: Collection[str]) -> ModelPart:
        """Returns the model's state and the existing wallets of these accounts, in one snapshot."""
        async with self._one_at_a_time, self._primary.use() as connection:
            rows = await connection.fetch(statements.READ, list(accounts))
        position, epoch, table, stopped, *_ = rows[0]
        wallets = [Wallet(*row[4:]) for row in rows if row["account_id"] is not None]
        return ModelPart(ModelState(Checkpoint(position, epoch), table), stopped, wallets)

    async def write(self, expected: ModelState, fold: Fold, head: int) -> ModelState:
        """Writes the changes of the fold and the new position in one statement. Returns the new state.

        Raises Outdated if the state or the version of a changed wallet is not as expected, or if the partition is
        stopped. If asyncpg raises, all or nothing was written.
        """
        async with self._one_at_a_time, self._primary.use() as connection:
            with TRANSACTION.time():
                row = await connection.fetchrow(
                    statements.WRITE, *expected.checkpoint, expected.table, head, *_changes(fold)
                )
        if row is None:
            raise Outdated(Outdated.__doc__)
        return expected._replace(checkpoint=expected.checkpoint._replace(position=head))

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


def _changes(fold: Fold) -> list[list[Any]]:
    """Returns the changes of the fold as columns, in the order of the statement's parameters."""
    return [
        *columns(fold.changed.values(), "account_id currency status balance_micros version updated_at"),
        *columns(fold.before.values(), "version"),
        *columns(
            fold.postings,
            "account_id version kind transaction_id amount_micros balance_micros counterparty at",
        ),
        [name for name, _ in fold.system_changes],
        [currency for _, currency in fold.system_changes],
        list(fold.system_changes.values()),
    ]
