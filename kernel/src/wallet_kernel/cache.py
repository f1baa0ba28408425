"""Redis as both architectures use it: a cache, without which everything goes on."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

CACHE_ERRORS = (RedisError, OSError, TimeoutError)
"""Redis did not answer, or not in time."""

PAUSE_S = 0.5
"""How long Redis is left alone after it did not answer."""

_log = logging.getLogger(__name__)

Found = TypeVar("Found")


def open_cache(url: str) -> "Redis":
    """Connections to Redis. Nothing is sent again: there is always another way than the cache."""
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0))


class Breaker:
    """A circuit breaker (M. Nygard, "Release It!"): one that is away costs a timeout now and then, not with each call.

    `failures` counts the times that it did not answer.
    """

    def __init__(self, timeout_s: float, failures: Counter | None = None) -> None:
        self._timeout_s = timeout_s
        self._failures = failures
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether Redis is left alone at the moment."""
        return time.monotonic() < self._open_until

    async def call(self, work: Callable[[], Awaitable[Found]]) -> Found | None:
        """What Redis answers; None if it does not, or did not a moment ago."""
        if self.is_open:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work()
        except CACHE_ERRORS as error:
            _log.warning("redis does not answer; going on without it", extra={"cause": repr(error)})
            if self._failures is not None:
                self._failures.inc()
            self._open_until = time.monotonic() + PAUSE_S
            return None
