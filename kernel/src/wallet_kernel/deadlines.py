"""Deadlines with the same time limit, watched by one timer.

`asyncio.timeout` sets a timer for each body, and nearly every body ends first and cancels it. With one time limit, the
deadlines pass in the order in which they were set, so a timer for the oldest one is enough.
"""

import asyncio
from asyncio import CancelledError
from contextlib import AbstractAsyncContextManager
from itertools import takewhile
from typing import Protocol


class Watched(Protocol):
    """Something with a deadline."""

    def passed(self) -> None:
        """Handles the end of the time."""


class Deadlines:
    """The deadlines of everything that has `seconds` for something, in one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Watched, float] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> AbstractAsyncContextManager[None]:
        """Limits the time of an `async with` body, as `asyncio.timeout` does.

        At the deadline, it cancels the body and raises TimeoutError.
        """
        return _Deadline(self)

    def watch(self, watched: Watched) -> None:
        """Calls `passed` after `seconds`, unless `forget` or `watch` is called again before."""
        self.forget(watched)
        loop = asyncio.get_running_loop()
        at = self._running[watched] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(at, self._sweep)

    def forget(self, watched: Watched) -> None:
        """Removes the deadline, if there is one."""
        self._running.pop(watched, None)

    def _sweep(self) -> None:
        """Handles the deadlines that have passed, and sets the timer for the next one."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        # A copy of only those that have passed, because thousands may wait and a sweep must not read them all.
        for watched, _ in list(takewhile(lambda deadline: deadline[1] <= now, self._running.items())):
            self.forget(watched)
            watched.passed()
        if self._running:
            self._timer = loop.call_at(next(iter(self._running.values())), self._sweep)


class _Deadline:
    __slots__ = ("_cancelling", "_deadlines", "_has_passed", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._has_passed = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a deadline cancels a task"
        self._task, self._cancelling = task, task.cancelling()
        self._deadlines.watch(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        self._deadlines.forget(self)
        # If other code has cancelled the task too, the task stays cancelled.
        if self._has_passed and self._task.uncancel() <= self._cancelling and kind is CancelledError:
            raise TimeoutError from error

    def passed(self) -> None:
        """Cancels the task."""
        self._has_passed = True
        self._task.cancel()
