"""The event log, read-only: what projection, rebuild and query need of the event store."""

from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

import asyncpg

from wallet_cqrs.messages import EventMessage
from wallet_kernel import database
from wallet_kernel.runtime.metrics import watch_pool

STATEMENT_TIMEOUT_S = 10.0
CONNECTIONS_MAX = 4

CONTINUE = "SELECT epoch, position FROM continue_log()"
"""The epoch and the head; begins an epoch if the log is on a server where none has begun."""

_STATE = "SELECT epoch, position, coalesce(log_shared_with($1), 0) FROM log_state"
_READ = """
SELECT l.epoch, e.* FROM log_state l LEFT JOIN LATERAL (
    SELECT position, stream_id, version, type, schema_version, transaction_id, data, at
    FROM events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3
) e ON true ORDER BY e.position
"""


class AnotherEpoch(Exception):
    """The log was restored, or its server restarted: what was read before may not be in it."""


class LogState(NamedTuple):
    """The log's epoch and head, and `shared`: the last position that a reader's own epoch has in common with it."""

    epoch: UUID
    head: int
    shared: int


def open_pool(url: str, application: str) -> asyncpg.Pool:
    """A small pool of connections to the event store; await it, or use it as an async context manager."""
    return database.open_pool(
        url,
        {"application_name": application, "jit": "off", "statement_timeout": "10s"},
        connections_max=CONNECTIONS_MAX,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        target_session_attrs="primary",
    )


class EventLog:
    """The log in the order of its positions."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        watch_pool("event-store", pool)

    async def ping(self) -> None:
        """Raises unless the event store answers."""
        await self._pool.fetchval("SELECT 1")

    async def head(self) -> int:
        """The last position there is; 0 for an empty log."""
        head: int = await self._pool.fetchval("SELECT position FROM log_head")
        return head

    async def state(self, reader: UUID | None) -> LogState:
        """The log as a reader that has read in this epoch must see it. Raises AnotherEpoch if it changes meanwhile."""
        async with self._pool.acquire() as connection:
            epoch = await connection.fetchval(CONTINUE)
            state = LogState(*await connection.fetchrow(_STATE, reader))
        if state.epoch != epoch:
            raise AnotherEpoch(AnotherEpoch.__doc__)
        return state

    async def read(self, epoch: UUID, after: int, until: int, limit: int) -> list[EventMessage]:
        """Up to `limit` events with `after` < position <= `until`, in order. Raises AnotherEpoch."""
        return events_of(epoch, await self._pool.fetch(_READ, after, until, limit))

    async def chunks(
        self, epoch: UUID, after: int, until: int, limit: int
    ) -> AsyncIterator[tuple[int, list[EventMessage]]]:
        """All events with `after` < position <= `until`, `limit` at a time, each with the position it leads to.

        Raises AnotherEpoch as soon as the log is not in this epoch.
        """
        while after < until:
            events = await self.read(epoch, after, until, limit)
            after = events[-1].position if len(events) == limit else until
            yield after, events


def events_of(epoch: UUID, rows: list[asyncpg.Record]) -> list[EventMessage]:
    """The events of rows that begin with the log's epoch; a log without new events is one row of nulls.

    Raises AnotherEpoch.
    """
    if rows[0][0] != epoch:
        raise AnotherEpoch(AnotherEpoch.__doc__)
    return [EventMessage(*row[1:]) for row in rows if row[1] is not None]
