"""Bulkheads: how much one dependency, or one kind of request, may use, so that the others keep their share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import Counter, Gauge

ADMITTED = Gauge(
    "wallet_bulkhead_admitted", "Calls that a bulkhead admitted: running or waiting.", ["bulkhead"]
)
ADMITTED_MAX = Gauge("wallet_bulkhead_admitted_max", "Calls that a bulkhead admits at once.", ["bulkhead"])
REFUSED = Counter(
    "wallet_bulkhead_refused", "Calls that a bulkhead refused because it was full.", ["bulkhead"]
)


class BulkheadFull(Exception):
    """Too many calls of this kind are under way; nothing was done."""


class Bulkhead:
    """Runs at most `running_max` calls of one kind at once; `waiting_max` more wait for a place, in order of arrival.

    A call has `deadline_s` seconds, from its admission to its end.
    """

    def __init__(self, name: str, *, running_max: int, waiting_max: int, deadline_s: float) -> None:
        self._places = asyncio.Semaphore(running_max)
        self._admitted = 0
        self._admitted_max = running_max + waiting_max
        self._deadline_s = deadline_s
        self._refused = REFUSED.labels(name)
        ADMITTED.labels(name).set_function(lambda: self._admitted)
        ADMITTED_MAX.labels(name).set(self._admitted_max)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds one place for the body of the `async with`.

        Raises BulkheadFull at once if no more calls may wait, and TimeoutError (it cancels the body) at the deadline.
        """
        if self._admitted >= self._admitted_max:
            self._refused.inc()
            raise BulkheadFull(BulkheadFull.__doc__)
        self._admitted += 1
        try:
            async with asyncio.timeout(self._deadline_s), self._places:
                yield
        finally:
            self._admitted -= 1
