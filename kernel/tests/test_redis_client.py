"""An outage of Redis costs callers a bounded time, and no call fails. The end of an outage costs nothing."""

import asyncio
import struct
from collections.abc import Iterator
from socket import SO_LINGER, SOL_SOCKET, socket

import pytest
import uvloop
from prometheus_client import CollectorRegistry, Counter
from redis.asyncio import Redis

from wallet_kernel.redis_client import Breaker, open_cache
from wallet_lab.testing import RedisServer, forward, running_redis

pytestmark = pytest.mark.anyio

TIMEOUT_S = 0.2


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As the services run."""
    return "asyncio"


@pytest.fixture(params=["refuses", "keeps silent"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Returns the address of a closed port, or of a server that never answers."""
    with socket() as port:
        port.bind(("127.0.0.1", 0))
        if request.param == "keeps silent":
            port.listen()
        yield f"redis://127.0.0.1:{port.getsockname()[1]}"


class Caller:
    """Calls an unreachable Redis, and counts the attempts."""

    def __init__(self, url: str) -> None:
        self.asked = 0
        self.failures = Counter("failures", "…", registry=CollectorRegistry())
        self.breaker = Breaker(TIMEOUT_S, self.failures)
        self._redis = open_cache(url)

    async def call(self) -> object:
        """One call."""
        return await self.breaker.call(self._ask)

    async def _ask(self) -> bool:
        self.asked += 1
        return bool(await self._redis.ping())


async def test_unreachable_redis_costs_one_timeout(url: str) -> None:
    """Calls during the pause return None immediately."""
    caller = Caller(url)
    assert [await caller.call() for _ in range(100)] == [None] * 100
    assert (caller.asked, caller.failures._value.get(), caller.breaker.is_open) == (1, 1, True)


async def test_redis_is_called_again_after_the_pause(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the pause, the next call reaches for Redis again."""
    monkeypatch.setattr("wallet_kernel.redis_client.PAUSE_S", 0.05)
    caller = Caller(url)
    await caller.call()
    await asyncio.sleep(0.1)
    assert not caller.breaker.is_open
    await caller.call()
    assert caller.asked == 2


async def test_other_exceptions_do_not_count_as_an_outage(url: str) -> None:
    """Only errors of Redis and timeouts count as an outage; other exceptions are raised."""
    caller = Caller(url)

    async def broken() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await caller.breaker.call(broken)
    assert not caller.breaker.is_open


async def test_first_call_after_a_restart_of_redis_succeeds() -> None:
    """The client replaces a connection that Redis has closed before it sends a call, also if it was idle meanwhile."""
    breaker = Breaker(10.0)
    with running_redis() as server:
        async with open_cache(server.url) as redis:
            assert await breaker.call(redis.ping)
            server.kill()
            server.start()
            await asyncio.sleep(0.1)  # the event loop receives the end of the connection
            assert await breaker.call(redis.ping)


def test_reset_of_an_idle_connection_counts_as_an_outage() -> None:
    """If a connection is reset while no call uses it, the next call returns None, and the call after it succeeds."""
    with running_redis() as server:
        assert uvloop.run(answers_around_a_reset(server)) == [True, None, True]


async def answers_around_a_reset(server: RedisServer) -> list[object]:
    """Calls Redis once before and twice after a reset of its idle connection, on the event loop of the services."""
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(forward(reader, back), forward(there, writer), return_exceptions=True)

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    async with open_cache(server.url.replace(f":{server.port}", f":{port}")) as redis:
        before = await _answer(redis)
        for writer in connections:
            _reset(writer)
        await asyncio.sleep(0.2)
        answers = [before, await _answer(redis), await _answer(redis)]
    proxy.close()
    return answers


async def _answer(redis: "Redis") -> object:
    """Returns the answer of one call with a breaker of its own, or the exception that it raised."""

    async def ping() -> bool:
        return bool(await redis.ping())

    try:
        return await Breaker(5.0).call(ping)
    except RuntimeError as error:
        return error


def _reset(connection: asyncio.StreamWriter) -> None:
    """Closes a connection in the way that makes the kernel send a reset (RST)."""
    connection.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()
