"""Reads balances from Redis in batches, and limits the reads that go to the workers after a cache miss."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from redis.asyncio import Redis

from wallet_kernel.batcher import Batcher, QueueFull
from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.redis_client import Breaker
from wallet_kernel.runtime.metrics import CACHE_READS
from wallet_saga.balance_cache import cache_key, cached_body

MISSES_RUNNING_MAX = 32
"""Cache misses that read from workers at the same time. Workers batch them with other steps, so this limit is enough
to serve all balances without Redis."""

MISSES_WAITING_MAX = 1000
MISS_DEADLINE_S = 4.0


class BalanceReader:
    """The orchestrator's read-only side of the balance cache."""

    def __init__(self, redis: "Redis", timeout_s: float) -> None:
        self._redis = redis
        self._breaker = Breaker(timeout_s)
        self._hits, self._misses = CACHE_READS.labels("hit"), CACHE_READS.labels("miss")
        self._missing = Bulkhead(
            "balance-misses",
            running_max=MISSES_RUNNING_MAX,
            waiting_max=MISSES_WAITING_MAX,
            deadline_s=MISS_DEADLINE_S,
        )
        self._batcher: Batcher[str, bytes | None] = Batcher(
            "balances", self._read, batch_max=500, queue_max=10_000
        )

    async def cached(self, account_id: str) -> bytes | None:
        """Returns the wallet document, or None if Redis does not have it or does not answer in time."""
        try:
            body = await self._batcher.submit(account_id)
        except QueueFull:
            body = None
        (self._hits if body else self._misses).inc()
        return body

    def missing(self) -> AbstractAsyncContextManager[None]:
        """Holds a place for reading one balance from its worker. Raises BulkheadFull if too many reads wait."""
        return self._missing.place()

    async def _read(self, accounts: Sequence[str]) -> Sequence[bytes | None]:
        keys = [cache_key(account) for account in accounts]
        entries = await self._breaker.call(lambda: self._redis.mget(keys)) or [None] * len(keys)
        return [cached_body(entry) if isinstance(entry, bytes) else None for entry in entries]
