"""Waits for positions. All readers of one log or read model share its last known position.

While notifications are received, waiting readers cause no query. Otherwise one query reads the position for all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.contract.problems import Problem
from wallet_kernel.database import DATABASE_ERRORS

POLL_S = 0.1
"""How often the position is read while a reader waits and no notifications are received."""

LOOK_TIMEOUT_S = 1.0

Found = TypeVar("Found")

ReadPosition = Callable[[], Awaitable[int]]
"""Reads the position from its database."""


class PositionWaiter:
    """The last known position of a read model or of the log, and the readers that wait for a later one."""

    def __init__(self, name: str, read_position: ReadPosition, *, waiting_max: int, timeout_s: float) -> None:
        self._read_position = read_position
        self._reached = 0
        self._is_followed = False
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._places = Bulkhead(
            f"{name}-position", running_max=waiting_max, waiting_max=0, deadline_s=timeout_s
        )
        self._look_now = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    @property
    def followed(self) -> int | None:
        """The last notified position; None while notifications are not received."""
        return self._reached if self._is_followed else None

    def has_reached(self, position: int) -> bool:
        """Returns whether the last known position is this one or a later one."""
        return position <= self._reached

    async def read_at(
        self, position: int, read: Callable[[], Awaitable[Found]], position_of: Callable[[Found], int]
    ) -> Found:
        """Waits until `position` is reached, and reads. Raises the errors of `reach` and of `read`.

        If the read shows an earlier position, because the database was restored or rebuilt, waits and reads once more.
        """
        await self.reach(position)
        found = await read()
        if position_of(found) < position:
            self.advance(position_of(found))
            await self.reach(position)
            found = await read()
        if position_of(found) < position:
            raise not_reached(position_of(found), position)
        return found

    async def reach(self, position: int) -> None:
        """Waits until `position` is reached.

        Raises BulkheadFull, or after `timeout_s` the problem position-not-reached with the position reached.
        """
        if self.has_reached(position):
            return
        try:
            async with self._places.place():
                await self._wait_for(position)
        except TimeoutError:
            raise not_reached(self._reached, position) from None

    def advance(self, position: int) -> None:
        """Records the position, and wakes the readers that wait for it. It is lower after a restore or a rebuild."""
        self._reached = position
        for reader, wanted in self._waiting.items():
            if wanted <= position and not reader.done():
                reader.set_result(None)

    async def refresh(self, read_position: ReadPosition) -> None:
        """Reads the position. Ignores a lower one if the position changed during the read, because it may be old."""
        before = self._reached
        position = await read_position()
        if position > self._reached or self._reached == before:
            self.advance(position)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Marks that `advance` is called with every change, so that readers need not read the position."""
        self._is_followed = True
        try:
            yield
        finally:
            self._is_followed = False
            self._look()

    async def _wait_for(self, position: int) -> None:
        reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[reader] = position
        try:
            self._look()
            await reader
        finally:
            del self._waiting[reader]

    @property
    def _must_look(self) -> bool:
        return bool(self._waiting) and not self._is_followed

    def _look(self) -> None:
        """Reads the position soon, if readers wait without notifications."""
        self._look_now.set()
        if self._must_look and (self._watcher is None or self._watcher.done()):
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Reads the position while readers wait without notifications. An unavailable database has not advanced."""
        while self._must_look:
            self._look_now.clear()
            try:
                async with asyncio.timeout(LOOK_TIMEOUT_S):
                    await self.refresh(self._read_position)
            except DATABASE_ERRORS:
                await asyncio.sleep(POLL_S)  # because new readers must not cause many connection attempts
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._look_now.wait()


def not_reached(reached: int, wanted: int) -> Problem:
    """Returns the problem position-not-reached with the position reached."""
    detail = f"The read model is at position {reached}, not yet at {wanted}; send the request again."
    return Problem("position-not-reached", detail, position=reached)
