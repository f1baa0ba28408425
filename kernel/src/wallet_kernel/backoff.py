"""Backoff between attempts: exponential, with full jitter, so that clients do not retry at the same time.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
"""

import asyncio
import random


class Backoff:
    """Pauses of 0 up to `first_s` seconds. The upper limit doubles after every pause, up to `max_s`."""

    def __init__(self, first_s: float, max_s: float) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._limit_s = first_s

    async def pause(self) -> None:
        """Waits for a random part of the present limit."""
        limit_s, self._limit_s = self._limit_s, min(2 * self._limit_s, self._max_s)
        await asyncio.sleep(random.uniform(0, limit_s))

    def reset(self) -> None:
        """Makes the next pause as short as the first one. Call it after a success."""
        self._limit_s = self._first_s
