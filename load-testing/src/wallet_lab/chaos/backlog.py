"""How much was begun and has not ended: asked again and again, also while nobody answers."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

import asyncpg

from wallet_lab.running.stack import RunningStack

PATIENCE_S = 1.0
"""A database that takes longer to answer is as good as away."""

_OPEN_SAGAS = "SELECT count(*) FROM transfers WHERE state = 'debited'"
_HEAD = "SELECT position FROM log_head"
_CHECKPOINT = "SELECT position FROM read_model.checkpoint"
_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class BacklogReader:
    """Open sagas of all shards, or how many events the slowest read shard is behind."""

    def __init__(self, stack: RunningStack) -> None:
        """Connects when asked."""
        self._is_saga = stack.architecture == "saga"
        self._urls = stack.database_urls if self._is_saga else [stack.event_store_url, *stack.database_urls]
        self._connections: dict[str, asyncpg.Connection] = {}

    async def __aenter__(self) -> Self:
        """Nothing to do yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the connections; a server that does not answer is not waited for."""
        self._forget()

    async def read(self) -> float | None:
        """The backlog now; None if a database does not answer."""
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
        # The checkpoints first: what comes in between makes the backlog look larger, never smaller than it is.
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
