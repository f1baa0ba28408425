"""Balances from Redis, read in batches; a balance that is not there comes from its shard's worker."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from redis.asyncio import Redis

from wallet_kernel.batcher import Batcher, QueueFull
from wallet_kernel.bulkhead import Bulkhead
from wallet_kernel.cache import Breaker
from wallet_kernel.runtime.metrics import CACHE_READS
from wallet_saga.balances import cache_key, cached_body

MISSES_RUNNING_MAX = 32
"""Reads of balances that go to workers at once, in batches with other steps. Enough for all balances without Redis."""

MISSES_WAITING_MAX = 1000
MISS_DEADLINE_S = 4.0


class BalanceReader:
    """The orchestrator's side of the balance cache: it only reads."""

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
        """The wallet document, if Redis has it and answers in time."""
        try:
            body = await self._batcher.submit(account_id)
        except QueueFull:
            body = None
        (self._hits if body else self._misses).inc()
        return body

    def missing(self) -> AbstractAsyncContextManager[None]:
        """A place for the read of a balance that Redis does not have. Raises BulkheadFull."""
        return self._missing.place()

    async def _read(self, accounts: Sequence[str]) -> Sequence[bytes | None]:
        keys = [cache_key(account) for account in accounts]
        entries = await self._breaker.call(lambda: self._redis.mget(keys)) or [None] * len(keys)
        return [cached_body(entry) if isinstance(entry, bytes) else None for entry in entries]
