"""Reads the backlog, the work that has begun and has not ended, also while databases are down."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

import asyncpg

from wallet_lab.stack.running import RunningStack

PATIENCE_S = 1.0
"""Seconds after which a slow database counts as down."""

_OPEN_SAGAS = "SELECT count(*) FROM transfers WHERE state = 'debited'"
_HEAD = "SELECT position FROM log_head"
_CHECKPOINT = "SELECT position FROM read_model.checkpoint"
_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class BacklogReader:
    """Reads the open sagas of all shards, or the number of events that the slowest read shard is behind."""

    def __init__(self, stack: RunningStack) -> None:
        """Store the stack; `read` opens the connections."""
        self._is_saga = stack.architecture == "saga"
        self._urls = stack.database_urls if self._is_saga else [stack.event_store_url, *stack.database_urls]
        self._connections: dict[str, asyncpg.Connection] = {}

    async def __aenter__(self) -> Self:
        """Do nothing; `read` opens the connections."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the connections without waiting for a server that does not answer."""
        self._forget()

    async def read(self) -> float | None:
        """Return the backlog now; None if a database does not answer."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await (self._open_sagas() if self._is_saga else self._unseen_events())
        except _AWAY:
            self._forget()
            return None

    async def _open_sagas(self) -> float:
        return float(sum([await self._ask(url, _OPEN_SAGAS) for url in self._urls]))

    async def _unseen_events(self) -> float:
        store, *shards = self._urls
        # Checkpoints first: events that arrive in between can only make the backlog look larger than it is.
        seen = [await self._ask(url, _CHECKPOINT) for url in shards]
        return float(await self._ask(store, _HEAD) - min(seen))

    async def _ask(self, url: str, sql: str) -> int:
        if url not in self._connections:
            self._connections[url] = await asyncpg.connect(url)
        value: int = await self._connections[url].fetchval(sql)
        return value

    def _forget(self) -> None:
        for connection in self._connections.values():
            with contextlib.suppress(*_AWAY):
                connection.terminate()
        self._connections.clear()
