"""Writes balances to Redis after each commit. If Redis fails, no data is lost, because the read model has it."""

from collections.abc import Sequence

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter
from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.read_model import Checkpoint
from wallet_kernel.cache import Breaker
from wallet_kernel.runtime.metrics import CACHE_FAILURES


class Cache:
    """Writes wallets to Redis and announces them. Readers find missing entries in the read model."""

    def __init__(self, redis: "Redis", ttl_s: float, timeout_s: float) -> None:
        self._writer = CacheWriter(redis, ttl_s, announce=True)
        self._breaker = Breaker(timeout_s, CACHE_FAILURES)

    async def show(self, wallets: Sequence[Wallet], checkpoint: Checkpoint) -> None:
        """Writes and announces wallets as of a checkpoint. Never raises, and never exceeds the timeout."""
        if wallets:
            await self._breaker.call(lambda: self._writer.write(wallets, checkpoint))
