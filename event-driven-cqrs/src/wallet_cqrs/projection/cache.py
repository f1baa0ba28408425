"""The balances that the projection shows in Redis after each commit. Redis is a hint: without it nothing is lost."""

from collections.abc import Sequence

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter
from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.read_model import Checkpoint
from wallet_kernel.cache import Breaker
from wallet_kernel.runtime.metrics import CACHE_FAILURES


class Cache:
    """Writes and announces wallets; what Redis misses is found in the read model."""

    def __init__(self, redis: "Redis", ttl_s: float, timeout_s: float) -> None:
        self._writer = CacheWriter(redis, ttl_s, announce=True)
        self._breaker = Breaker(timeout_s, CACHE_FAILURES)

    async def show(self, wallets: Sequence[Wallet], checkpoint: Checkpoint) -> None:
        """Shows these wallets as they were at a checkpoint. Never raises, never takes longer than the timeout."""
        if wallets:
            await self._breaker.call(lambda: self._writer.write(wallets, checkpoint))
