"""The Bulkhead bounds the number and the time of one kind of call."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from wallet_kernel.bulkhead import Bulkhead, BulkheadFull

pytestmark = pytest.mark.anyio


class Dependency:
    """A dependency that answers once the test opens the gate."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self._bulkhead = bulkhead
        self.gate = asyncio.Event()
        self.running = 0
        self.running_max = 0

    async def call(self) -> None:
        """Uses the dependency through its bulkhead."""
        async with self._bulkhead.place():
            self.running += 1
            self.running_max = max(self.running_max, self.running)
            try:
                await self.gate.wait()
            finally:
                self.running -= 1


async def test_bulkhead_refuses_at_once_when_full() -> None:
    """A call beyond the bound fails immediately, and the metric counts it."""
    dependency = Dependency(Bulkhead("full", running_max=2, waiting_max=1, deadline_s=20))
    admitted = [asyncio.create_task(dependency.call()) for _ in range(3)]
    await asyncio.sleep(0)
    refused = asyncio.create_task(dependency.call())
    await asyncio.sleep(0)
    assert refused.done(), "a turn of the event loop is enough for a call that does not wait"
    assert isinstance(refused.exception(), BulkheadFull)
    assert REGISTRY.get_sample_value("wallet_bulkhead_refused_total", {"bulkhead": "full"}) == 1
    assert REGISTRY.get_sample_value("wallet_bulkhead_admitted", {"bulkhead": "full"}) == 3
    dependency.gate.set()
    await asyncio.gather(*admitted)
    await dependency.call()


async def test_bulkhead_bounds_the_calls_that_run() -> None:
    """A waiting call runs only after another one has ended."""
    dependency = Dependency(Bulkhead("bound", running_max=2, waiting_max=10, deadline_s=20))
    calls = [asyncio.create_task(dependency.call()) for _ in range(6)]
    await asyncio.sleep(0.01)
    dependency.gate.set()
    await asyncio.gather(*calls)
    assert dependency.running_max == 2


async def test_bulkhead_frees_its_places_at_the_deadline() -> None:
    """Calls to a dependency that does not answer free their places at the deadline; waiting calls fail too."""
    dependency = Dependency(Bulkhead("deadline", running_max=1, waiting_max=1, deadline_s=0.05))
    calls = [asyncio.create_task(dependency.call()) for _ in range(2)]
    await asyncio.wait(calls, timeout=10)
    assert [call.done() and type(call.exception()) for call in calls] == [TimeoutError, TimeoutError]
    dependency.gate.set()
    await dependency.call()


async def test_cancelled_call_frees_its_place() -> None:
    """A call that is cancelled while it runs or waits frees its place."""
    dependency = Dependency(Bulkhead("cancelled", running_max=1, waiting_max=1, deadline_s=20))
    calls = [asyncio.create_task(dependency.call()) for _ in range(2)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    dependency.gate.set()
    await dependency.call()
