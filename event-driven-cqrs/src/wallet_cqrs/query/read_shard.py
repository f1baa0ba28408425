"""Reads balances in batches, statements, and the checkpoint from one read shard in Postgres."""

import asyncio
from collections.abc import Sequence

import asyncpg

from wallet_cqrs.balance_cache import epoch_word
from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.query import statements
from wallet_cqrs.query.position_waiter import PositionWaiter
from wallet_cqrs.read_model import LIVE_SCHEMA, Checkpoint, Posting
from wallet_kernel.batcher import Batcher
from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.contract.problems import Problem
from wallet_kernel.database import Prepare, open_pool, reading, session
from wallet_kernel.runtime.metrics import TRANSACTION, watch_pool

STATEMENT_TIMEOUT_S = 5.0
BATCHES_MAX = 2
STATEMENTS_MAX = 3
STATEMENTS_WAITING_MAX = 200
CONNECTIONS_MAX = BATCHES_MAX + STATEMENTS_MAX + 2
"""The last two connections read the position: one for waiting readers, one for readiness."""

DIVERGED = (
    "The wallet's read model has changes that the restored event store does not have. It must be rebuilt."
)

_SESSION = session(
    "wallet-query",
    statement_timeout_s=STATEMENT_TIMEOUT_S,
    search_path=LIVE_SCHEMA,
    default_transaction_read_only="on",
)

Found = tuple[Wallet | None, Checkpoint]
"""A wallet or None, and the checkpoint of the read."""


def open_read_pool(url: str, prepare: Prepare | None = None) -> asyncpg.Pool:
    """Returns a pool to a read shard that prepares each connection. Await it, or use it as a context manager."""
    return open_pool(
        url,
        _SESSION,
        connections_max=CONNECTIONS_MAX,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        target_session_attrs="primary",
        prepare=prepare,
    )


class ReadShard:
    """Reads the read model of one partition.

    `epoch` is the log's epoch at the last read, in the format of Redis entries; None before the first read.
    """

    epoch: bytes | None = None

    def __init__(
        self,
        number: int,
        pool: asyncpg.Pool,
        *,
        batch_max: int,
        queue_max: int,
        timeout_s: float,
        position_timeout_s: float,
    ) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        name = f"read-{number}"
        watch_pool(name, pool)
        self.positions = PositionWaiter(
            name, self._position, waiting_max=queue_max, timeout_s=position_timeout_s
        )
        self._statements = Bulkhead(
            f"{name}-statements",
            running_max=STATEMENTS_MAX,
            waiting_max=STATEMENTS_WAITING_MAX,
            deadline_s=timeout_s,
        )
        self._batcher: Batcher[str, Found] = Batcher(
            name,
            self._balances,
            batch_max=batch_max,
            queue_max=queue_max,
            in_flight_max=BATCHES_MAX,
        )

    async def ping(self) -> None:
        """Raises if the database does not answer."""
        await self._position()

    async def balance(self, account_id: str, min_position: int = 0) -> Found:
        """Returns the current wallet and a checkpoint at `min_position` or later.

        Raises QueueFull, BulkheadFull, TimeoutError, asyncpg's errors, or Problem if the position is not reached in
        time or the model must be rebuilt.
        """
        return await self.positions.read_at(
            min_position, lambda: self._balance(account_id), lambda found: found[1].position
        )

    async def _balance(self, account_id: str) -> Found:
        async with asyncio.timeout(self._timeout_s):
            return await self._batcher.submit(account_id)

    async def statement(self, account_id: str, limit: int, before_version: int | None) -> list[Posting]:
        """Returns postings below a version, newest first. Raises BulkheadFull, TimeoutError, or asyncpg's errors."""
        before = before_version if before_version is not None else 2**63 - 1
        async with self._statements.place(), reading(self._pool) as connection:
            rows = await connection.fetch(statements.STATEMENT, account_id, before, limit)
        return [Posting(*row) for row in rows]

    async def read_position(self, connection: asyncpg.Connection) -> int:
        """Reads the checkpoint on this connection, records its epoch, and returns its position."""
        position, epoch = await connection.fetchrow(statements.CHECKPOINT)
        self.epoch = epoch_word(epoch)
        return int(position)

    async def _position(self) -> int:
        async with reading(self._pool) as connection:
            return await self.read_position(connection)

    async def _balances(self, accounts: Sequence[str]) -> Sequence[Found]:
        with TRANSACTION.time():
            async with asyncio.timeout(self._timeout_s), reading(self._pool) as connection:
                rows = await connection.fetch(statements.BALANCES, accounts)
        diverged, position, epoch, *_ = rows[0]
        if diverged:
            raise Problem("shard-unavailable", DIVERGED)
        self.epoch = epoch_word(epoch)
        checkpoint = Checkpoint(position, epoch)
        return [(Wallet(*row[3:]) if row["account_id"] else None, checkpoint) for row in rows]
