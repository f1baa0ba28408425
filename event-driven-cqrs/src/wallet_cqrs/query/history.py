"""Reads past balances and transfers from the event store. Read-only, and never stale: a former primary is not read."""

import asyncio
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

import asyncpg

from wallet_cqrs.domain.wallet import STATE_SCHEMA, Wallet, evolve
from wallet_cqrs.events import TransferKind, decode
from wallet_cqrs.query import statements
from wallet_cqrs.query.position_waiter import PositionWaiter
from wallet_cqrs.snapshot import restored
from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.database import reading_primary
from wallet_kernel.runtime.metrics import watch_pool

READS_MAX = 3
"""Concurrent reads: one less than the pool's connections, because waiting readers need one to read the head."""

READS_WAITING_MAX = 200

APPEND_POLL_FIRST_S = 0.002
APPEND_POLL_MAX_S = 0.05
"""Bounds of the interval between checks whether an append in flight has ended. It takes some milliseconds."""

EVENTS_MAX = 5000
"""The most events that one statement reads. Folding them blocks the event loop for about 30 ms."""


class FutureMoment(Exception):
    """The requested moment is in the future by the database's clock."""


class Step(NamedTuple):
    """An event of a transfer: its type and time."""

    name: str
    at: datetime


class Transfer(NamedTuple):
    """A decision about money, and its events."""

    transaction_id: UUID
    kind: TransferKind
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    reason: str | None
    position: int
    at: datetime
    steps: list[Step]


class History:
    """Reads the event store for the query service. All methods share one bulkhead; `positions` has its own.

    The methods wait until the log has reached `min_position`. They raise the problem position-not-reached, BulkheadFull
    immediately if too many reads wait, TimeoutError after `timeout_s`, or asyncpg's errors.
    """

    def __init__(
        self, pool: asyncpg.Pool, *, timeout_s: float, waiting_max: int, position_timeout_s: float
    ) -> None:
        self._pool = pool
        watch_pool("event-store", pool)
        self._reads = Bulkhead(
            "event-store", running_max=READS_MAX, waiting_max=READS_WAITING_MAX, deadline_s=timeout_s
        )
        self.positions = PositionWaiter(
            "event-store", self._head, waiting_max=waiting_max, timeout_s=position_timeout_s
        )

    async def wallet_at(self, account_id: str, at: datetime, min_position: int = 0) -> tuple[Wallet, int]:
        """Returns a wallet at a moment (version 0: not opened yet) and the log's current head. Raises FutureMoment."""
        return await self.positions.read_at(
            min_position, lambda: self._wallet_at(account_id, at), itemgetter(1)
        )

    async def transfer(self, transaction_id: UUID, min_position: int = 0) -> Transfer | None:
        """Returns a decision by its id, or None."""
        transfer, _ = await self.positions.read_at(
            min_position, lambda: self._transfer(transaction_id), itemgetter(1)
        )
        return transfer

    async def _wallet_at(self, account_id: str, at: datetime) -> tuple[Wallet, int]:
        async with self._reads.place(), reading_primary(self._pool) as connection:
            head = await _past(connection, at)
            version = await connection.fetchval(statements.VERSION_AT, account_id, at)
            return await _folded(connection, account_id, version), head

    async def _transfer(self, transaction_id: UUID) -> tuple[Transfer | None, int]:
        """Also returns the log's head, by the same statement."""
        async with self._reads.place(), reading_primary(self._pool) as connection:
            row = await connection.fetchrow(statements.DECISION, transaction_id)
            if row["transaction_id"] is None:
                return None, row["head"]
            # A refusal has no first position, so the query finds no events for it.
            positions = row["first_position"], row["last_position"]
            events = await connection.fetch(statements.TIMELINE, *positions)
        transfer = Transfer(
            transaction_id=transaction_id,
            kind=row["kind"],
            from_account=row["from_account"],
            to_account=row["to_account"],
            amount_micros=row["amount_micros"],
            currency=row["currency"],
            reason=row["reason"],
            position=row["last_position"],
            at=row["at"],
            steps=[Step(event["type"], event["at"]) for event in events],
        )
        return transfer, row["head"]

    async def _head(self) -> int:
        async with reading_primary(self._pool) as connection:
            head: int = await connection.fetchval(statements.HEAD)
        return head


async def _past(connection: asyncpg.Connection, at: datetime) -> int:
    """Waits for appends in flight with events up to `at`, and returns the head. Raises FutureMoment."""
    head, now, appender = await connection.fetchrow(statements.HEAD_AND_APPENDER, at)
    if at > now:
        raise FutureMoment(FutureMoment.__doc__)
    if appender is not None:
        await _ended(connection, appender)
        head = await connection.fetchval(statements.HEAD)
    return int(head)


async def _ended(connection: asyncpg.Connection, appender: int) -> None:
    pause_s = APPEND_POLL_FIRST_S
    while await connection.fetchval(statements.APPENDS, appender):
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, APPEND_POLL_MAX_S)


async def _folded(connection: asyncpg.Connection, account_id: str, version: int) -> Wallet:
    """Returns the wallet after `version` events: the latest earlier snapshot, and the events after it."""
    wallet = restored(
        account_id, await connection.fetchval(statements.SNAPSHOT, account_id, version, STATE_SCHEMA)
    )
    for after in range(wallet.version, version, EVENTS_MAX):
        until = min(version, after + EVENTS_MAX)
        for row in await connection.fetch(statements.EVENTS, account_id, after, until):
            wallet = evolve(wallet, decode(row["type"], row["schema_version"], row["data"]), row["at"])
    return wallet
