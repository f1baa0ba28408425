"""Bulkheads: bounds on the calls to one dependency, or of one kind, so that other calls keep their resources."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import Counter, Gauge

from wallet_kernel.deadlines import Deadlines

ADMITTED = Gauge(
    "wallet_bulkhead_admitted", "Calls that a bulkhead admitted: running or waiting.", ["bulkhead"]
)
ADMITTED_MAX = Gauge(
    "wallet_bulkhead_admitted_max", "Calls that a bulkhead admits at the same time.", ["bulkhead"]
)
REFUSED = Counter(
    "wallet_bulkhead_refused", "Calls that a bulkhead refused because it was full.", ["bulkhead"]
)


class BulkheadFull(Exception):
    """Too many calls of this kind are running or waiting. This call did nothing."""


class Bulkhead:
    """Bounds the running calls of one kind to `running_max`. Up to `waiting_max` more calls wait in order of arrival.

    A call must end within `deadline_s` seconds of its admission.
    """

    def __init__(self, name: str, *, running_max: int, waiting_max: int, deadline_s: float) -> None:
        self._places = asyncio.Semaphore(running_max)
        self._admitted = 0
        self._admitted_max = running_max + waiting_max
        self._deadlines = Deadlines(deadline_s)
        self._refused = REFUSED.labels(name)
        ADMITTED.labels(name).set_function(lambda: self._admitted)
        ADMITTED_MAX.labels(name).set(self._admitted_max)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds one place while the body of the `async with` runs.

        Raises BulkheadFull immediately if no more calls may wait. At the deadline it cancels the body and raises
        TimeoutError.
        """
        if self._admitted >= self._admitted_max:
            self._refused.inc()
            raise BulkheadFull(BulkheadFull.__doc__)
        self._admitted += 1
        try:
            async with self._deadlines.begin(), self._places:
                yield
        finally:
            self._admitted -= 1
