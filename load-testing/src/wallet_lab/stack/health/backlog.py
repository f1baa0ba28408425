"""Reads the backlog of a running stack, also while databases are down, and waits until it is empty."""

import asyncio
import contextlib
import time
from types import TracebackType
from typing import Self

import asyncpg

from wallet_lab.architectures.adapter import Backlog
from wallet_lab.stack.running import RunningStack

QUIESCENCE_TIMEOUT_S = 60.0
PATIENCE_S = 1.0
"""Seconds after which a slow database counts as down."""

_LOOK_EVERY_S = 0.02
_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_EMPTY = Backlog(0)


class Databases:
    """Connections to the databases of a stack, each opened at its first use."""

    def __init__(self, stack: RunningStack) -> None:
        """Use it as a context manager."""
        self.shards = stack.shards
        self._stack = stack
        self._connections: dict[str, asyncpg.Connection] = {}

    async def __aenter__(self) -> Self:
        """Do nothing; `row` opens the connections."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the connections without waiting for a server that does not answer."""
        self.forget()

    async def row(self, component: str, sql: str) -> asyncpg.Record:
        """Return the only row of a query on the database of this component, as its owner."""
        if component not in self._connections:
            self._connections[component] = await asyncpg.connect(self._stack.client_url(component))
        return await self._connections[component].fetchrow(sql)

    async def backlog(self) -> Backlog:
        """Return the backlog now; always empty if the architecture has no ledger."""
        ledger = self._stack.adapter.ledger
        return await ledger.backlog(self) if ledger else _EMPTY

    async def sample(self) -> int | None:
        """Return the size of the backlog now; None if a database does not answer."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return (await self.backlog()).size
        except _AWAY:
            self.forget()
            return None

    def forget(self) -> None:
        """Drop the connections; the next query opens new ones."""
        for connection in self._connections.values():
            with contextlib.suppress(*_AWAY):
                connection.terminate()
        self._connections.clear()


async def wait_for_quiescence(stack: RunningStack, timeout_s: float = QUIESCENCE_TIMEOUT_S) -> float | None:
    """Wait until the backlog is empty; returns the seconds, or None after the timeout or if it cannot become empty."""
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s), Databases(stack) as databases:
            while not (backlog := await databases.backlog()).is_stuck:
                if backlog.size == 0:
                    return time.monotonic() - started_s
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        pass
    return None
