"""The access to one Postgres: bounded sessions, the transaction around a batch, and reads."""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import cache, partial
from typing import Self
from uuid import UUID

import asyncpg

from wallet_baselines.batch import Batch
from wallet_baselines.records import Entry, Key, Outcome, Transfer
from wallet_baselines.settings import BaselineSettings
from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.database import (
    DATABASE_ERRORS,
    RELEASES_LOCKS,
    CommitUnknown,
    columns,
    commit,
    open_pool,
    read_statement,
    session,
)
from wallet_kernel.deadlines import Deadlines
from wallet_kernel.runtime.metrics import TRANSACTION, watch_pool
from wallet_kernel.runtime.readiness import ReadyCheck
from wallet_kernel.topology import Placement
from wallet_kernel.topology_table import verify

sql = cache(partial(read_statement, "wallet_baselines"))
"""Returns the statement in a file of `sql/`, by the file's name."""

STATEMENT_TIMEOUT_S = 5.0

BEGIN = "BEGIN; SELECT pg_advisory_xact_lock_shared(1)"
"""Begins a transaction that `UNDECIDED_ENDED` waits for."""

UNDECIDED_ENDED = "SELECT pg_advisory_xact_lock(1)"
"""Waits until every transaction that began with BEGIN has ended, also one whose client has gone."""

_SESSION = session(
    "wallet-baseline",
    statement_timeout_s=STATEMENT_TIMEOUT_S,
    # Because a paused service must not hold its locks for longer than this.
    idle_in_transaction_session_timeout="5s",
    # Because a session whose client has gone must not take the lock that it waits for.
    client_connection_check_interval="500ms",
    **RELEASES_LOCKS,
)

ONE_SHARD = Placement.even(0, 1)
"""The placement of a database that holds all wallets."""


class Store:
    """One database. Use it as an async context manager.

    Reads and writes have a pool each, so that writes that wait for a lock do not block reads. Every new connection
    compares the database's topology with the expected one and raises OtherTopology if they differ. `more` are further
    kinds of work that have a pool each, and the numbers of their connections.
    """

    def __init__(self, url: str, placement: Placement, settings: BaselineSettings, **more: int) -> None:
        check = partial(verify, expected=placement)
        pool = partial(open_pool, url, _SESSION, statement_timeout_s=STATEMENT_TIMEOUT_S, prepare=check)
        bulkhead = partial(Bulkhead, waiting_max=settings.queue_max, deadline_s=settings.deadline_s)
        self.shard = placement.shard
        self._deadlines = Deadlines(settings.deadline_s)
        self._name = f"shard-{placement.shard}"
        self.pings: dict[str, ReadyCheck] = {self._name: self.ping}
        kinds = {"writes": settings.connections_max, "reads": settings.connections_max, **more}
        self._pools = {kind: pool(connections_max=n) for kind, n in kinds.items()}
        self._bulkheads = {kind: bulkhead(f"{self._name}-{kind}", running_max=n) for kind, n in kinds.items()}

    async def __aenter__(self) -> Self:
        for kind, pool in self._pools.items():
            watch_pool(f"{self._name}-{kind}", await pool)
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in self._pools.values():
            await pool.close()

    async def ping(self) -> None:
        """Queries the database. Raises OtherTopology or a driver error."""
        async with self.connection("reads") as connection:
            await connection.fetchval("SELECT 1")

    @asynccontextmanager
    async def connection(self, kind: str = "writes") -> AsyncIterator[asyncpg.Connection]:
        """Yields a connection. If the body raises, drops the connection, which rolls its transaction back.

        Raises BulkheadFull, or TimeoutError if the body has not ended at the deadline.
        """
        async with self._bulkheads[kind].place():
            connection = await self._pools[kind].acquire()
            try:
                yield connection
            except BaseException:
                with suppress(asyncpg.InterfaceError):  # it was lost, and the pool has dropped it already
                    connection.terminate()  # without waiting, because a second error would hide the first
                raise
            # The work is done. If the connection is lost or the deadline passes now, the outcome must not change.
            with suppress(CancelledError, *DATABASE_ERRORS):
                await self._pools[kind].release(connection)

    @asynccontextmanager
    async def transaction(self, accounts: Iterable[str], keys: Sequence[Key] = ()) -> AsyncIterator[Batch]:
        """Yields the locked rows, and writes and commits the changes on exit.

        Raises CommitUnknown if they may have been committed. After any other exception nothing was committed.
        """
        async with self.connection() as connection:
            with TRANSACTION.time():
                await connection.execute(BEGIN)
                batch = await load(connection, accounts, keys)
                yield batch
                if batch.entries or batch.decided:
                    await write(connection, batch)
                await commit_or_unknown(connection)

    async def balance(self, account_id: str) -> WalletView | None:
        """Returns a wallet, or None."""
        return await self._wallet("balance", account_id)

    async def balance_at(self, account_id: str, at: datetime) -> tuple[datetime, WalletView | None]:
        """Returns the database's time and the wallet at moment `at`. The wallet is None if it did not exist yet."""
        async with self.connection("reads") as connection:
            now: datetime = await connection.fetchval(sql("settled_at"), account_id)
        return now, await self._wallet("balance_at", account_id, at)

    async def statement(self, account_id: str, limit: int, before_version: int | None) -> list[Entry]:
        """Returns up to `limit` postings below a version, newest first."""
        async with self.connection("reads") as connection:
            rows = await connection.fetch(sql("statement"), account_id, before_version, limit)
        return [Entry(*row) for row in rows]

    async def transfer(self, transaction_id: UUID) -> Outcome | None:
        """Returns the outcome of a command, or None if it was not carried out and never will be.

        A client that got `outcome-unknown` sends its request again after a 404, so None must be final.
        """
        async with self.connection("reads") as connection:
            row = await connection.fetchrow(sql("transfer"), transaction_id)
            if row is None:
                await connection.execute(UNDECIDED_ENDED)
                row = await connection.fetchrow(sql("transfer"), transaction_id)
        return Outcome(Transfer.of(row)) if row else None

    async def _wallet(self, statement: str, *arguments: object) -> WalletView | None:
        async with self.connection("reads") as connection:
            row = await connection.fetchrow(sql(statement), *arguments)
        return WalletView(*row) if row else None


async def load(connection: asyncpg.Connection, accounts: Iterable[str], keys: Sequence[Key]) -> Batch:
    """Locks these wallets and returns them with the transfers of these owners and idempotency keys."""
    wallets = await connection.fetch(sql("lock_wallets"), list(accounts))
    owners, own_keys = [owner for owner, _ in keys], [key for _, key in keys]
    row = await connection.fetchrow(sql("load"), owners, own_keys)
    transfers = map(Transfer.of, row["transfers"])
    return Batch.of(row["now"], (WalletView(*wallet) for wallet in wallets), transfers)


async def write(connection: asyncpg.Connection, batch: Batch) -> None:
    """Writes the changes of a batch."""
    await connection.execute(
        sql("write"),
        *columns(batch.changed.values(), "account_id balance_micros version status updated_at"),
        *columns(batch.opened.values(), "account_id currency balance_micros version status updated_at"),
        *columns(batch.entries, " ".join(Entry._fields)),
        *columns(batch.decided, " ".join(Transfer.__struct_fields__)),
        list(batch.external),
        list(batch.external.values()),
    )


async def commit_or_unknown(connection: asyncpg.Connection) -> None:
    """Commits. Raises CommitUnknown also if the deadline ends the wait, because COMMIT was sent."""
    try:
        await commit(connection)
    except CancelledError as error:
        raise CommitUnknown(repr(error)) from error
