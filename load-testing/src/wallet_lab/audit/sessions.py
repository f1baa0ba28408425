"""Connections that look at one moment of each database, with room to sort and hash."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from redis.exceptions import RedisError

NOT_ANSWERED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError)
"""What is raised when a database or the cache is gone, or on its way down."""
_SETTINGS = {"application_name": "wallet-audit", "work_mem": "64MB", "jit": "off"}


@asynccontextmanager
async def looking_at(urls: Sequence[str]) -> AsyncIterator[list[asyncpg.Connection]]:
    """A connection to each, in a transaction that sees what was committed when it began and leaves no trace."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_session(url)) for url in urls]


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, server_settings=_SETTINGS)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            yield connection
    finally:
        await connection.close()
