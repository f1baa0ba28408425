"""Readiness, overload and drain: a stopping service is unready and finishes accepted requests."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wallet_kernel.http import Receive, Response, Scope, Send, send_response
from wallet_kernel.runtime.lifecycle import OPEN_PATHS, Lifecycle

pytestmark = pytest.mark.anyio
Exchange = Callable[..., Coroutine[Any, Any, Any]]


class Slow:
    """An app that answers when the test releases it."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.served = 0

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await self.gate.wait()
        self.served += 1
        await send_response(Response(200, b"{}"), send)


async def begin(exchange: Exchange, app: object, path: str = "/wallets") -> "asyncio.Task[Any]":
    """Starts a request and returns once it has reached the app."""
    task: asyncio.Task[Any] = asyncio.create_task(exchange(app, "POST", path))
    await asyncio.sleep(0)
    return task


async def test_drain_waits_for_the_requests_in_flight(exchange: Exchange) -> None:
    """A service is drained only after its last request in flight is answered."""
    lifecycle, slow = Lifecycle(10), Slow()
    accepted = await begin(exchange, lifecycle.guard(slow))
    lifecycle.start_draining()
    drained = asyncio.create_task(lifecycle.drained())
    await asyncio.sleep(0.05)
    assert not drained.done()
    slow.gate.set()
    async with asyncio.timeout(60):
        await drained
    assert (await accepted).status == 200


async def test_draining_service_serves_requests_on_open_connections(exchange: Exchange) -> None:
    """A draining service still answers requests on open connections."""
    lifecycle, slow = Lifecycle(10), Slow()
    slow.gate.set()
    lifecycle.start_draining()
    assert (await exchange(lifecycle.guard(slow), "POST", "/wallets")).status == 200


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_health_is_served_during_drain_and_overload(exchange: Exchange, path: str) -> None:
    """Health and metrics are served during a drain and beyond the bound."""
    lifecycle, slow = Lifecycle(1), Slow()
    occupied = await begin(exchange, lifecycle.guard(slow))
    health = await begin(exchange, lifecycle.guard(slow), path)
    slow.gate.set()
    assert (await health).status == 200
    await occupied
    lifecycle.start_draining()
    assert (await exchange(lifecycle.guard(slow), "GET", path)).status == 200


async def test_overload_is_refused_beyond_the_bound(exchange: Exchange) -> None:
    """With in_flight_max requests in flight the next one gets 503; after one has ended, the next one is served."""
    lifecycle, slow = Lifecycle(2), Slow()
    guarded = lifecycle.guard(slow)
    served = [await begin(exchange, guarded), await begin(exchange, guarded)]
    refused = await exchange(guarded, "POST", "/wallets")
    assert (refused.status, refused.document["type"]) == (503, "/problems/overloaded")
    assert refused.headers["retry-after"] == "1"
    slow.gate.set()
    assert [reply.status for reply in await asyncio.gather(*served)] == [200, 200]
    assert (await exchange(guarded, "POST", "/wallets")).status == 200


async def test_bound_covers_every_port_of_the_service(exchange: Exchange) -> None:
    """Two guarded apps share one count of requests in flight."""
    lifecycle, public, own = Lifecycle(1), Slow(), Slow()
    accepted = await begin(exchange, lifecycle.guard(public))
    assert (await exchange(lifecycle.guard(own), "POST", "/internal")).status == 503
    public.gate.set()
    await accepted


async def test_failed_request_is_no_longer_in_flight(exchange: Exchange) -> None:
    """A request that fails or is cancelled no longer counts as in flight."""

    async def broken(_: Scope, __: Receive, ___: Send) -> None:
        raise OSError

    lifecycle, slow = Lifecycle(1), Slow()
    with pytest.raises(OSError):  # noqa: PT011 - it is the one raised above
        await exchange(lifecycle.guard(broken), "POST", "/")
    cancelled = await begin(exchange, lifecycle.guard(slow))
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    slow.gate.set()
    assert (await exchange(lifecycle.guard(slow), "POST", "/")).status == 200


async def test_draining_service_is_not_ready() -> None:
    """A draining service is unready regardless of its checks, so that a load balancer chooses another replica."""
    lifecycle = Lifecycle(1)
    assert (await lifecycle.state()).obstacles == {}
    lifecycle.start_draining()
    assert (await lifecycle.state()).obstacles == {"drain": "the service is shutting down"}
