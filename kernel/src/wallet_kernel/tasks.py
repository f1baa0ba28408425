"""Background tasks that end with the code that started them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

REPEAT_S = 0.2


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Runs each coroutine as a task while the body runs, and then does what `cancel_and_wait` does."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        await cancel_and_wait(*tasks)


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancels these tasks until all have ended. Raises the exception of the first task that failed.

    A cancellation that arrives just as a call ends can be lost: `asyncio.wait_for` returns the call's result instead
    (before Python 3.12). A task with a loop would then never end, so this function cancels again.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=REPEAT_S)
    for task in tasks:
        if not task.cancelled():
            task.result()
