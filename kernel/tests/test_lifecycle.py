"""Readiness, overload and drain: what was accepted is finished, what comes later is refused."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wallet_kernel.http import Answer, Receive, Scope, Send, send_answer
from wallet_kernel.runtime.lifecycle import OPEN_PATHS, Lifecycle, NotReady

pytestmark = pytest.mark.anyio
Exchange = Callable[..., Coroutine[Any, Any, Any]]


class Slow:
    """An app that answers when it is let go."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.served = 0

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await self.gate.wait()
        self.served += 1
        await send_answer(Answer(200, b"{}"), send)


async def begin(exchange: Exchange, app: object, path: str = "/wallets") -> "asyncio.Task[Any]":
    """A request that has reached the app."""
    task: asyncio.Task[Any] = asyncio.create_task(exchange(app, "POST", path))
    await asyncio.sleep(0)
    return task


async def test_drain_finishes_what_was_accepted(exchange: Exchange) -> None:
    """Drain returns when the last request in flight is answered, not before; the request gets its answer."""
    lifecycle, slow = Lifecycle(10), Slow()
    accepted = await begin(exchange, lifecycle.guard(slow))
    draining = asyncio.create_task(lifecycle.drain(5))
    await asyncio.sleep(0.05)
    assert not draining.done()
    slow.gate.set()
    await asyncio.wait_for(draining, 1)
    assert (await accepted).status == 200


async def test_new_requests_are_refused_while_draining(exchange: Exchange) -> None:
    """They get a 503 problem with Retry-After on a closing connection, and never reach the app."""
    lifecycle, slow = Lifecycle(10), Slow()
    slow.gate.set()
    await lifecycle.drain(1)
    reply = await exchange(lifecycle.guard(slow), "POST", "/wallets")
    assert (reply.status, reply.document["type"]) == (503, "/problems/draining")
    assert reply.headers["retry-after"] == "1"
    assert reply.headers["connection"] == "close"
    assert slow.served == 0


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_health_is_answered_whatever_happens(exchange: Exchange, path: str) -> None:
    """Health and metrics pass while draining and beyond the bound: that is when they are needed."""
    lifecycle, slow = Lifecycle(1), Slow()
    occupied = await begin(exchange, lifecycle.guard(slow))
    health = await begin(exchange, lifecycle.guard(slow), path)
    slow.gate.set()
    assert (await health).status == 200
    await occupied
    await lifecycle.drain(1)
    assert (await exchange(lifecycle.guard(slow), "GET", path)).status == 200


async def test_drain_gives_up_after_its_timeout(exchange: Exchange) -> None:
    """A request that never ends does not keep a service from stopping."""
    lifecycle, slow = Lifecycle(10), Slow()
    stuck = await begin(exchange, lifecycle.guard(slow))
    await asyncio.wait_for(lifecycle.drain(0.05), 1)
    assert not stuck.done()
    stuck.cancel()


async def test_overload_is_refused_beyond_the_bound(exchange: Exchange) -> None:
    """With in_flight_max requests in flight the next gets 503; once one has ended, it is served."""
    lifecycle, slow = Lifecycle(2), Slow()
    guarded = lifecycle.guard(slow)
    served = [await begin(exchange, guarded), await begin(exchange, guarded)]
    refused = await exchange(guarded, "POST", "/wallets")
    assert (refused.status, refused.document["type"]) == (503, "/problems/overloaded")
    assert refused.headers["retry-after"] == "1"
    slow.gate.set()
    assert [reply.status for reply in await asyncio.gather(*served)] == [200, 200]
    assert (await exchange(guarded, "POST", "/wallets")).status == 200


async def test_bound_and_drain_cover_every_port_of_the_service(exchange: Exchange) -> None:
    """Two guarded apps share one count: the process is drained when both are quiet."""
    lifecycle, public, own = Lifecycle(1), Slow(), Slow()
    accepted = await begin(exchange, lifecycle.guard(public))
    assert (await exchange(lifecycle.guard(own), "POST", "/internal")).status == 503
    public.gate.set()
    await accepted


async def test_failed_request_is_no_longer_in_flight(exchange: Exchange) -> None:
    """An app that raises, or whose request is cancelled, does not leak a place."""

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


async def test_ready_means_every_check_passes() -> None:
    """Each check that fails is named with its reason; a service that drains is not ready."""
    works = True

    async def database() -> None:
        if not works:
            raise NotReady("no connection yet")

    async def cache() -> None:
        return

    lifecycle = Lifecycle(1, {"database": database, "cache": cache})
    assert await lifecycle.obstacles() == {}
    works = False
    assert await lifecycle.obstacles() == {"database": "NotReady: no connection yet"}
    works = True
    await lifecycle.drain(0)
    assert await lifecycle.obstacles() == {"drain": "the service is shutting down"}
