"""The access to the shard's Postgres: one session that writes batches, and a small pool for all other statements."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, Self
from uuid import UUID

import asyncpg

from wallet_kernel.database import (
    RELEASES_LOCKS,
    PrimaryConnection,
    ReadOnlyDatabase,
    autocommit,
    columns,
    open_pool,
    session,
    writing,
)
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.ledger_metrics import IN_TRANSIT_BALANCES, TOTALS, Comparison, InTransit, Totals
from wallet_kernel.runtime.metrics import watch_pool
from wallet_kernel.runtime.readiness import Standby
from wallet_kernel.topology import Placement
from wallet_kernel.topology_table import verify
from wallet_saga.domain.batch import Batch, BatchKeys, CreditRecord, LedgerEntry
from wallet_saga.domain.commands import Outcome, TransferRecord, WalletState
from wallet_saga.worker import statements
from wallet_saga.worker.known_rows import KnownRows

STATEMENT_TIMEOUT_S = 5.0

READ_CONNECTIONS_MAX = 2
"""Connections that one kind of read (lookups, statements, past balances) uses at the same time."""

CONNECTIONS_MAX = 3 * READ_CONNECTIONS_MAX + 2
"""Connections of the pool. Clients' reads leave two of them free for recovery, close requests and the books' check."""

SUMMING_TIMEOUT_S = 60.0

SILENCE_MAX_S = 5.0
"""If the writer's session is idle for this long, Postgres ends it, so that another worker can take over."""

_log = logging.getLogger(__name__)

_SESSION = session(
    "wallet-worker",
    statement_timeout_s=STATEMENT_TIMEOUT_S,
    # Because a paused worker must not hold its locks for longer than this.
    idle_in_transaction_session_timeout="5s",
    **RELEASES_LOCKS,
)


Decide = Callable[[Batch], list[Outcome]]
"""Decides the commands of a batch: changes the batch and returns the outcomes. It is pure, so it can run again."""


class NotTheOnlyWriter(Exception):
    """A row no longer had the known version or state, so another session has written. The batch was rolled back."""


class Unfinished(NamedTuple):
    """The number of unfinished sagas, how many of them have no current lease, and the age of the oldest in seconds."""

    sagas: int
    abandoned: int
    oldest_s: float


class Applied(NamedTuple):
    """A committed batch: its outcomes, the wallets that clients read, and the others that it may have changed.

    The wallets are as the database stores them after the batch.
    """

    outcomes: list[Outcome]
    read: list[WalletState]
    posted: list[WalletState]


class Store:
    """The shard's database. Use it as an async context manager.

    Every new connection first compares the database's topology with the expected one. If they differ, it raises
    OtherTopology, which callers handle as an unreachable database.

    The first batch makes this worker the shard's writer, if no other worker is. It remains the writer until its session
    ends. Postgres ends a session that is idle for `silence_max_s` seconds. While the session lives, no other session
    changes the rows of the shard. So the store keeps the rows of recent batches in memory.
    """

    def __init__(
        self, url: str, lease: timedelta, placement: Placement, silence_max_s: float = SILENCE_MAX_S
    ) -> None:
        self._lease = lease
        self._verify = partial(verify, expected=placement)
        self._known = KnownRows()
        self._expects_duplicates = False
        self.takeovers = 0
        """How often this worker has become the shard's writer."""
        self.is_standby = False
        """Whether another worker was the shard's writer when this worker last tried to take over."""
        self._writer = PrimaryConnection(
            url,
            {**_SESSION, "idle_session_timeout": str(int(silence_max_s * 1000))},
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            prepare=self._take_over,
        )
        self._readers = open_pool(
            url,
            _SESSION,
            connections_max=CONNECTIONS_MAX,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            prepare=self._verify,
        )

    async def __aenter__(self) -> Self:
        watch_pool("shard", await self._readers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.close()
        await self._readers.close()

    async def ping(self) -> None:
        """Queries the database. Raises OtherTopology if it belongs to another shard or topology, or a driver error."""
        await self._readers.fetchval("SELECT 1")

    async def connect(self) -> None:
        """Opens the session that writes, unless it is open, and takes over the shard. Raises what `apply` raises."""
        async with self._writer.use():
            pass

    async def apply(self, keys: BatchKeys, decide: Decide) -> Applied:
        """Decides a batch on the shard's rows and commits its changes.

        If the database already has a row that the batch adds, `decide` runs again on a new batch with that row. Raises
        CommitUnknown if the batch may have been committed. After any other exception (Standby, an asyncpg error),
        nothing was committed.
        """
        async with self._writer.use() as connection:
            try:
                return await self._apply(connection, keys, decide)
            except BaseException:
                self._known.clear()
                raise

    async def _apply(self, connection: asyncpg.Connection, keys: BatchKeys, decide: Decide) -> Applied:
        self._known.trim()
        is_loaded = await self._load(connection, keys, everything=self._expects_duplicates)
        try:
            return await self._commit(connection, keys, decide, is_loaded=is_loaded)
        except asyncpg.UniqueViolationError:  # the log or the barrier has a row that the batch adds
            await self._load(connection, keys, everything=True)
            return await self._commit(connection, keys, decide, is_loaded=True)

    async def _commit(
        self, connection: asyncpg.Connection, keys: BatchKeys, decide: Decide, *, is_loaded: bool
    ) -> Applied:
        batch = self._known.batch(keys)
        outcomes = decide(batch)
        if batch.changed:
            batch.date(await self._write(connection, batch), outcomes)
            self._known.keep(batch)
        elif not is_loaded:
            await self._query(connection, BatchKeys())  # proves that this session is still the writer's
        return Applied(outcomes, self._known.wallets(keys.read), self._known.wallets(keys.posted))

    async def _take_over(self, connection: asyncpg.Connection) -> None:
        self._known.clear()
        await self._verify(connection)
        self.is_standby = not await connection.fetchval(statements.BECOME_WRITER)
        if self.is_standby:
            raise Standby("Another worker is the writer of this shard.")
        await self._readers.expire_connections()  # because they may lead to a former primary
        self.takeovers += 1
        _log.info("this worker is the shard's writer")

    async def claim(self, limit: int, lease_s: float, expired_for_s: float = 0.0) -> list[TransferRecord]:
        """Leases up to `limit` sagas to the caller for `lease_s` seconds, and returns them.

        Their last lease expired at least `expired_for_s` seconds ago.
        """
        lease, expired_for = timedelta(seconds=lease_s), timedelta(seconds=expired_for_s)
        async with writing(self._readers) as connection:
            rows = await connection.fetch(statements.CLAIM, limit, lease, expired_for)
        return [_transfer(row) for row in rows]

    async def open_sagas(self, account_id: str, limit: int) -> list[TransferRecord]:
        """Returns up to `limit` unfinished sagas of this payer."""
        rows = await self._readers.fetch(statements.OPEN_SAGAS, account_id, limit)
        return [_transfer(row) for row in rows]

    async def transfer(self, transaction_id: UUID) -> TransferRecord | None:
        """Returns a transfer's row in the saga log, or None."""
        row = await self._readers.fetchrow(statements.TRANSFER, transaction_id)
        return _transfer(row) if row else None

    async def credit(self, transaction_id: UUID) -> CreditRecord | None:
        """Returns a transfer's row in the credit barrier, or None."""
        row = await self._readers.fetchrow(statements.CREDIT, transaction_id)
        return _credit(row) if row else None

    async def wallet_exists(self, account_id: str) -> bool:
        """Returns whether this shard has a wallet of this name."""
        return bool(
            await self._readers.fetchval("SELECT true FROM wallets WHERE account_id = $1", account_id)
        )

    async def statement(self, account_id: str, limit: int, before_version: int | None) -> list[LedgerEntry]:
        """Returns up to `limit` postings below a version, newest first."""
        before = before_version if before_version is not None else 2**63 - 1
        return [
            LedgerEntry(*row)
            for row in await self._readers.fetch(statements.STATEMENT, account_id, before, limit)
        ]

    async def balance_at(self, account_id: str, at: datetime) -> tuple[datetime, WalletState | None]:
        """Returns the database's time and the wallet at moment `at`. The wallet is None if it did not exist yet."""
        async with self._readers.acquire() as connection:
            now: datetime = await connection.fetchval(statements.NOW_BETWEEN_BATCHES)
            row = await connection.fetchrow(statements.BALANCE_AT, account_id, at)
        if row is None:
            return now, None
        return now, WalletState(
            account_id=account_id,
            currency=row["currency"],
            status=row["status"],
            balance_micros=row["balance_micros"],
            in_flight_micros=0,
            version=row["version"],
            updated_at=row["at"],
        )

    async def unfinished(self) -> Unfinished:
        """Returns the number and the age of the unfinished sagas."""
        return Unfinished(*await self._readers.fetchrow(statements.UNFINISHED))

    async def in_transit(self) -> list[InTransit]:
        """Returns the balances of this shard's @transit accounts."""
        return [InTransit(*row) for row in await self._readers.fetch(IN_TRANSIT_BALANCES)]

    async def compare(self, after: str, limit: int) -> Comparison:
        """Compares up to `limit` wallets, whose names follow `after`, with their ledger in one snapshot."""
        return Comparison(*await self._readers.fetchrow(statements.COMPARE, after, limit))

    async def totals(self) -> list[Totals]:
        """Returns the sums of the books by currency, in one snapshot. Reads every wallet."""
        async with self._readers.acquire() as connection:
            await connection.execute(statements.BEGIN_SUMMING)
            try:
                rows = await connection.fetch(TOTALS, timeout=SUMMING_TIMEOUT_S)
            finally:
                await connection.execute("ROLLBACK")
        return [Totals(*row) for row in rows]

    async def _load(self, connection: asyncpg.Connection, keys: BatchKeys, *, everything: bool) -> bool:
        """Loads the rows that the batch needs and that are not in memory. Returns whether any was missing.

        Without `everything`, the batch counts as new: the database rejects it if the log or the barrier has its rows.
        After such a duplicate, the next batch looks first. So a flood of duplicates costs two round trips a batch.
        """
        missing = self._known.missing(keys, everything=everything)
        if not missing:
            return False
        found = await self._query(connection, missing)
        self._expects_duplicates = everything and found
        return True

    async def _query(self, connection: asyncpg.Connection, keys: BatchKeys) -> bool:
        """Loads these rows into memory. Returns whether the log or the barrier has any of them."""
        row = await connection.fetchrow(
            statements.LOAD,
            list(keys.accounts),
            [*keys.begun, *keys.ended],
            [owner for owner, _ in keys.idempotency],
            [key for _, key in keys.idempotency],
            list(keys.credits),
        )
        if row["read_only"]:  # also for reads, because a demoted primary may be behind
            raise ReadOnlyDatabase(ReadOnlyDatabase.__doc__)
        self._known.put(
            [WalletState(*wallet) for wallet in row["wallets"]],
            [_transfer(transfer) for transfer in row["transfers"]],
            [_credit(credit) for credit in row["credits"]],
        )
        return bool(row["transfers"] or row["credits"])

    async def _write(self, connection: asyncpg.Connection, batch: Batch) -> datetime:
        """Commits the changes of a batch, and returns their time."""
        try:
            now: datetime = await autocommit(connection.fetchval(statements.WRITE, *self._columns(batch)))
        except asyncpg.DivisionByZeroError as error:
            raise NotTheOnlyWriter(NotTheOnlyWriter.__doc__) from error
        return now

    def _columns(self, batch: Batch) -> tuple[object, ...]:
        """Returns the changes of a batch as the arguments of the statement that writes them."""
        changed = [wallet for wallet in batch.wallets.values() if wallet.loaded_version and wallet.changed]
        opened = [wallet for wallet in batch.wallets.values() if not wallet.loaded_version]
        moved = [(*account, micros) for account, micros in batch.system_changes.items() if micros]
        return (
            *columns(changed, "account_id status version loaded_version balance_delta in_flight_delta"),
            *columns(opened, "account_id currency status balance_micros in_flight_micros version"),
            *columns(
                batch.new_entries,
                "account_id version kind transaction_id amount_micros balance_micros counterparty at",
            ),
            *columns(
                batch.new_transfers.values(),
                "transaction_id kind state from_account to_account amount_micros currency key fingerprint reason",
            ),
            self._lease,
            *columns(batch.ended_transfers.values(), "transaction_id state reason"),
            *columns(batch.new_credits, "transaction_id reason"),
            [name for name, _, _ in moved],
            [currency for _, currency, _ in moved],
            [micros for _, _, micros in moved],
        )


# Rows come as sequences, with the columns in the order of the SQL. The tables call a transaction's id `transfer_id`.
# A renamed column would need a migration that the running services of the previous version do not understand.


def _transfer(row: Sequence[Any]) -> TransferRecord:
    columns = list(row)
    columns[_REASON] = Refusal(columns[_REASON]) if columns[_REASON] else None
    return TransferRecord(*columns)


def _credit(row: Sequence[Any]) -> CreditRecord:
    transaction_id, reason, at = row
    return CreditRecord(transaction_id, Refusal(reason) if reason else None, at)


_REASON = TransferRecord.__struct_fields__.index("reason")
