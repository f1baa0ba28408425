"""Background tasks, and how a service ends them."""

import asyncio
from typing import Any

REPEAT_S = 0.2


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels these tasks until they have ended. Raises what one of them raised.

    A cancellation that arrives just as a call ends can get lost: `asyncio.wait_for` returns the call's result instead
    (before Python 3.12). A task with a loop would never end, so the cancellation is repeated.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=REPEAT_S)
    for task in tasks:
        if not task.cancelled():
            task.result()
