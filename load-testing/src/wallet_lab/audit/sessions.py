"""Connections that read a snapshot of each database, with memory to sort and hash."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from redis.exceptions import RedisError

NOT_ANSWERED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError)
"""The errors of a database or cache that is down or shutting down."""
_SETTINGS = {"application_name": "wallet-audit", "work_mem": "64MB", "jit": "off"}


@asynccontextmanager
async def looking_at(urls: Sequence[str]) -> AsyncIterator[list[asyncpg.Connection]]:
    """Connect to each database, in a repeatable-read transaction."""
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
