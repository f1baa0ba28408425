"""Waiting for a position: everyone who waits for the same thing shares one look at it every few milliseconds."""

import asyncio
from collections.abc import Awaitable, Callable

from wallet_kernel.contract.problems import Problem
from wallet_kernel.database import DATABASE_ERRORS

POLL_S = 0.001
AWAY_POLL_S = 0.05
"""A database that is away is not asked to open a connection every millisecond."""

Look = Callable[[], Awaitable[int]]
"""How far it is now."""


class Positions:
    """How far a read model, or the log, is. It is looked at only while somebody waits."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._reached = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._poller: asyncio.Task[None] | None = None

    async def reach(self, position: int, timeout_s: float) -> None:
        """Returns once `position` is reached. Raises the problem position-not-reached, which says how far it is."""
        if position <= self._reached:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((position, future))
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            raise not_reached(self._reached, position) from None

    async def _poll(self) -> None:
        while self._waiting:
            try:
                self._reached = max(self._reached, await self._look())
            except DATABASE_ERRORS:
                # Out of reach is not reached either: whoever waits learns it when their time is over.
                await asyncio.sleep(AWAY_POLL_S)
            self._release()
            await asyncio.sleep(POLL_S)

    def _release(self) -> None:
        still: list[tuple[int, asyncio.Future[None]]] = []
        for position, future in self._waiting:
            if future.done():  # given up
                continue
            if position <= self._reached:
                future.set_result(None)
            else:
                still.append((position, future))
        self._waiting = still


def not_reached(reached: int, wanted: int) -> Problem:
    """The problem that says how far it is."""
    detail = f"The read model has come to position {reached}, not yet to {wanted}; ask again."
    return Problem("position-not-reached", detail, position=reached)
