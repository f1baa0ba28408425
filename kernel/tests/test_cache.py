"""An outage of Redis costs callers a bounded time, and no call fails."""

import asyncio
from collections.abc import Iterator
from socket import socket

import pytest
from prometheus_client import CollectorRegistry, Counter

from wallet_kernel.cache import Breaker, open_cache

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


async def test_a_redis_that_is_away_costs_one_timeout(url: str) -> None:
    """Calls during the pause return None at once."""
    caller = Caller(url)
    assert [await caller.call() for _ in range(100)] == [None] * 100
    assert (caller.asked, caller.failures._value.get(), caller.breaker.is_open) == (1, 1, True)


async def test_it_is_asked_again_after_the_pause(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the pause, the next call reaches for Redis again."""
    monkeypatch.setattr("wallet_kernel.cache.PAUSE_S", 0.05)
    caller = Caller(url)
    await caller.call()
    await asyncio.sleep(0.1)
    assert not caller.breaker.is_open
    await caller.call()
    assert caller.asked == 2


async def test_a_bug_is_not_taken_for_an_outage(url: str) -> None:
    """Only errors of Redis and timeouts count as an outage; other exceptions are raised."""
    caller = Caller(url)

    async def broken() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await caller.breaker.call(broken)
    assert not caller.breaker.is_open
