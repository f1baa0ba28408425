"""Read-only access to the event log for projection, rebuild and query."""

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
"""Returns the epoch and the head. Starts an epoch if this server has none yet."""

_STATE = """SELECT epoch, position, coalesce(log_shared_with($1), 0), log_shared_with($1) IS NOT NULL FROM log_state"""
_READ = """
SELECT l.epoch, e.* FROM log_state l LEFT JOIN LATERAL (
    SELECT position, stream_id, version, type, schema_version, transaction_id, data, at
    FROM events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3
) e ON true ORDER BY e.position
"""


class AnotherEpoch(Exception):
    """The log was restored, or its server restarted. Events that were read before may be missing from it."""


class LogState(NamedTuple):
    """The log's epoch and head. `shared` is the last position that the reader's epoch and this log share.

    If the log never had the reader's epoch, `knows_reader` is False, and `shared` is 0.
    """

    epoch: UUID
    head: int
    shared: int
    knows_reader: bool


def open_pool(url: str, application: str, *, target_session_attrs: str = "primary") -> asyncpg.Pool:
    """Returns a small connection pool to the event store. Await it, or use it as an async context manager.

    Its connections lead to the first server of the address with these attributes, `primary` or `read-write`.
    """
    return database.open_pool(
        url,
        {"application_name": application, "jit": "off", "statement_timeout": "10s"},
        connections_max=CONNECTIONS_MAX,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        target_session_attrs=target_session_attrs,
    )


class EventLog:
    """Reads the event log in the order of positions."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        watch_pool("event-store", pool)

    async def ping(self) -> None:
        """Raises if the event store does not answer."""
        await self._pool.fetchval("SELECT 1")

    async def head(self) -> int:
        """Returns the last position; 0 for an empty log."""
        head: int = await self._pool.fetchval("SELECT position FROM log_head")
        return head

    async def state(self, reader: UUID | None) -> LogState:
        """Returns the log's state for a reader with this epoch. Raises AnotherEpoch if the epoch changes meanwhile."""
        async with self._pool.acquire() as connection:
            epoch = await connection.fetchval(CONTINUE)
            state = LogState(*await connection.fetchrow(_STATE, reader))
        if state.epoch != epoch:
            raise AnotherEpoch(AnotherEpoch.__doc__)
        return state

    async def read(self, epoch: UUID, after: int, until: int, limit: int) -> list[EventMessage]:
        """Returns up to `limit` events with `after` < position <= `until`, in order. Raises AnotherEpoch."""
        return events_of(epoch, await self._pool.fetch(_READ, after, until, limit))

    async def chunks(
        self, epoch: UUID, after: int, until: int, limit: int
    ) -> AsyncIterator[tuple[int, list[EventMessage]]]:
        """Yields all events with `after` < position <= `until` in chunks of `limit`, with the position reached.

        Raises AnotherEpoch if the log is in another epoch.
        """
        while after < until:
            events = await self.read(epoch, after, until, limit)
            after = events[-1].position if len(events) == limit else until
            yield after, events


def events_of(epoch: UUID, rows: list[asyncpg.Record]) -> list[EventMessage]:
    """Returns the events in rows that start with the log's epoch. If there are no new events, one row has nulls.

    Raises AnotherEpoch if the rows have another epoch.
    """
    if rows[0][0] != epoch:
        raise AnotherEpoch(AnotherEpoch.__doc__)
    return [EventMessage(*row[1:]) for row in rows if row[1] is not None]
