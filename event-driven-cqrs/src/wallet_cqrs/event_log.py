"""The event log, read-only: what projection, rebuild and query need of the event store."""

from collections.abc import AsyncIterator

import asyncpg

from wallet_cqrs.messages import EventMessage
from wallet_kernel import database
from wallet_kernel.runtime.metrics import watch_pool

STATEMENT_TIMEOUT_S = 10.0
CONNECTIONS_MAX = 4

_READ = """
SELECT position, stream_id, version, type, schema_version, transaction_id, data, at
FROM events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3
"""


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

    async def read(self, after: int, until: int, limit: int) -> list[EventMessage]:
        """Up to `limit` events with `after` < position <= `until`, in order."""
        return [EventMessage(*row) for row in await self._pool.fetch(_READ, after, until, limit)]

    async def chunks(
        self, after: int, until: int, limit: int
    ) -> AsyncIterator[tuple[int, list[EventMessage]]]:
        """All events with `after` < position <= `until`, `limit` at a time, each with the position it leads to."""
        while after < until:
            events = await self.read(after, until, limit)
            after = events[-1].position if len(events) == limit else until
            yield after, events
