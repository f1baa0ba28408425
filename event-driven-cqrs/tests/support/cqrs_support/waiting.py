"""Waits for other processes."""

import asyncio
import time
from collections.abc import Callable


async def until(true: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Waits until the condition is true. Raises AssertionError after the timeout."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, f"not within {timeout_s} s: {what}"
        await asyncio.sleep(0.02)
