"""The balances that the projection shows in Redis after each commit. Redis is a hint: without it nothing is lost."""

import asyncio
import logging
import time
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from wallet_cqrs.balance_cache import CacheWriter
from wallet_cqrs.domain import Wallet
from wallet_kernel.runtime.metrics import CACHE_FAILURES

PAUSE_S = 0.5
"""How long Redis is left alone after it did not answer."""

_log = logging.getLogger(__name__)


class Cache:
    """Writes and announces wallets; what Redis misses is found in the read model."""

    def __init__(self, redis: "Redis", ttl_s: float, timeout_s: float) -> None:
        self._writer = CacheWriter(redis, ttl_s, announce=True)
        self._timeout_s = timeout_s
        self._paused_until = 0.0

    async def show(self, wallets: Sequence[Wallet], position: int) -> None:
        """Shows these wallets as they were at a position. Never raises, never takes longer than the timeout."""
        if not wallets or time.monotonic() < self._paused_until:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._writer.write(wallets, position)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("redis does not answer", extra={"cause": repr(error)})
            CACHE_FAILURES.inc()
            self._paused_until = time.monotonic() + PAUSE_S
