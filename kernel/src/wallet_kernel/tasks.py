"""Ends background tasks."""

import asyncio
from typing import Any

REPEAT_S = 0.2


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels these tasks until all have ended. Raises the exception of the first task that failed.

    A cancellation that arrives just as a call ends can be lost: `asyncio.wait_for` returns the call's result instead
    (before Python 3.12). A task with a loop would then never end, so `end` cancels again.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=REPEAT_S)
    for task in tasks:
        if not task.cancelled():
            task.result()
