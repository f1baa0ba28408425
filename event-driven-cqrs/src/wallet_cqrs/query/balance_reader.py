"""Reads balances from Redis if the entry is new enough for the reader, else from the read model. Both in batches."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, Entry, cache_key, entry_of, found_entry
from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.messages import partition_of
from wallet_cqrs.query.read_shard import ReadShard
from wallet_cqrs.read_model import Checkpoint
from wallet_kernel.batcher import Batcher, QueueFull
from wallet_kernel.cache import Breaker
from wallet_kernel.runtime.metrics import CACHE_READS

FILLS_MAX = 1000
"""The most entries that wait to be written to Redis. Further entries are dropped."""


class BalanceReader:
    """Reads balances from Redis or a read shard, and writes missing entries to Redis."""

    def __init__(
        self,
        redis: "Redis",
        shards: Sequence[ReadShard],
        *,
        cache_ttl_s: float,
        cache_timeout_s: float,
        batch_max: int,
        queue_max: int,
    ) -> None:
        self._redis = redis
        self._shards = shards
        self._writer = CacheWriter(redis, cache_ttl_s, announce=False)
        self._breaker = Breaker(cache_timeout_s)
        self._fills: list[tuple[Wallet, Checkpoint]] = []
        self._filler: asyncio.Task[None] | None = None
        self._hits, self._misses = CACHE_READS.labels("hit"), CACHE_READS.labels("miss")
        self._batcher: Batcher[str, Entry | None] = Batcher(
            "balances", self._look_up, batch_max=batch_max, queue_max=queue_max
        )

    async def balance(self, account_id: str, min_position: int) -> Entry | None:
        """Returns a wallet's entry at `min_position` or later, or None if the wallet does not exist.

        Raises Problem if the position is not reached in time, QueueFull, BulkheadFull, or asyncpg's errors.
        """
        entry = await self._cached(account_id)
        if (
            entry is not None
            and entry.position >= min_position
            and entry.epoch == self._shard(account_id).epoch
        ):
            self._hits.inc()
            return entry
        self._misses.inc()
        return await self.fresh(account_id, min_position)

    async def fresh(self, account_id: str, min_position: int) -> Entry | None:
        """Does the same as `balance`, but reads only the read model."""
        wallet, checkpoint = await self._shard(account_id).balance(account_id, min_position)
        if wallet is None:
            return None
        self._fill(wallet, checkpoint)
        return entry_of(wallet, checkpoint)

    def _shard(self, account_id: str) -> ReadShard:
        return self._shards[partition_of(account_id, len(self._shards))]

    def is_current(self, account_id: str, entry: Entry) -> bool:
        """Returns whether the wallet's read model still has the position and the epoch of this entry.

        It may have changed while the service receives no notifications; then returns False.
        """
        shard = self._shard(account_id)
        return (entry.position, entry.epoch) == (shard.positions.followed, shard.epoch)

    async def _cached(self, account_id: str) -> Entry | None:
        try:
            return await self._batcher.submit(account_id)
        except QueueFull:
            return None

    async def _look_up(self, accounts: Sequence[str]) -> Sequence[Entry | None]:
        keys = [cache_key(account) for account in accounts]
        found = await self._breaker.call(lambda: self._redis.mget(keys)) or [None] * len(keys)
        return [found_entry(raw) for raw in found]

    def _fill(self, wallet: Wallet, checkpoint: Checkpoint) -> None:
        """Writes a wallet to Redis in the background, so that the reader does not wait."""
        if len(self._fills) < FILLS_MAX and not self._breaker.is_open:
            self._fills.append((wallet, checkpoint))
            if self._filler is None or self._filler.done():
                self._filler = asyncio.create_task(self._write_fills())

    async def _write_fills(self) -> None:
        while self._fills:
            fills, self._fills = self._fills, []
            for epoch in {checkpoint.epoch for _, checkpoint in fills}:
                await self._write_epoch(epoch, [fill for fill in fills if fill[1].epoch == epoch])

    async def _write_epoch(self, epoch: UUID | None, fills: Sequence[tuple[Wallet, Checkpoint]]) -> None:
        # All these wallets are at least as new as the lowest of their positions.
        checkpoint = Checkpoint(min(checkpoint.position for _, checkpoint in fills), epoch)
        wallets = [wallet for wallet, _ in fills]
        await self._breaker.call(lambda: self._writer.write(wallets, checkpoint))
