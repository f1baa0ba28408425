"""The Redis client of both architectures. Redis is only a cache: services keep working without it."""

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
from redis.maint_notifications import MaintNotificationsConfig

CACHE_ERRORS = (RedisError, OSError, TimeoutError, RuntimeError)
"""The errors that a call raises if Redis fails or does not answer in time.

The event loop (uvloop) raises RuntimeError if the connection was reset while no call used it.
"""

PAUSE_S = 0.5
"""Seconds without calls to Redis after a call failed."""

_log = logging.getLogger(__name__)

Found = TypeVar("Found")


def open_cache(url: str) -> "Redis":
    """Returns a Redis client that does not retry, because callers have another source for the data.

    With maintenance notifications, the client would not check whether Redis has closed a connection. Then the first
    call on each connection would fail after a restart of Redis.
    """
    notifications = MaintNotificationsConfig(enabled=False)
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), maint_notifications_config=notifications)


class Breaker:
    """A circuit breaker (M. Nygard, "Release It!"): while Redis is away, only one call per pause costs a timeout.

    `failures` counts the calls that failed.
    """

    def __init__(self, timeout_s: float, failures: Counter | None = None) -> None:
        self._timeout_s = timeout_s
        self._failures = failures
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls to Redis are paused now."""
        return time.monotonic() < self._open_until

    async def call(self, work: Callable[[], Awaitable[Found]]) -> Found | None:
        """Returns the result of `work`, or None if Redis fails, times out, or is paused after a failure."""
        if self.is_open:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work()
        except CACHE_ERRORS as error:
            _log.warning("redis does not answer; working without it", extra={"cause": repr(error)})
            if self._failures is not None:
                self._failures.inc()
            self._open_until = time.monotonic() + PAUSE_S
            return None
