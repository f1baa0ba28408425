"""Reads balances from Redis if the entry is new enough for the reader, else from the read model. Both in batches."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, Entry, Reading, cache_key, entry_of, found_entry
from wallet_cqrs.messages import partition_of
from wallet_cqrs.query.read_shard import ReadShard
from wallet_kernel.batcher import Batcher, QueueFull
from wallet_kernel.redis_client import Breaker
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
        self._fills: list[Reading] = []
        self._filler: asyncio.Task[None] | None = None
        self._hits, self._misses = CACHE_READS.labels("hit"), CACHE_READS.labels("miss")
        self._batcher: Batcher[str, Entry | None] = Batcher(
            "balances", self._look_up, batch_max=batch_max, queue_max=queue_max
        )

    async def balance(self, account_id: str, min_position: int) -> Entry | None:
        """Returns a wallet's entry at `min_position` or later, or None if the wallet does not exist.

        Redis gets balances after the read model, so it has none of a position that the read model has not reached.
        Raises Problem if the position is not reached in time, QueueFull, BulkheadFull, or asyncpg's errors.
        """
        shard = self._shard(account_id)
        entry = await self._cached(account_id) if shard.positions.has_reached(min_position) else None
        if entry is not None and entry.position >= min_position and entry.epoch == shard.epoch:
            self._hits.inc()
            return entry
        self._misses.inc()
        return await self.fresh(account_id, min_position)

    async def fresh(self, account_id: str, min_position: int) -> Entry | None:
        """Does the same as `balance`, but reads only the read model."""
        began_s = time.monotonic()
        wallet, checkpoint = await self._shard(account_id).balance(account_id, min_position)
        if wallet is None:
            return None
        self._fill(Reading(wallet, checkpoint, began_s))
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

    def _fill(self, reading: Reading) -> None:
        """Writes a wallet to Redis in the background, so that the reader does not wait."""
        if len(self._fills) < FILLS_MAX and not self._breaker.is_open:
            self._fills.append(reading)
            if self._filler is None or self._filler.done():
                self._filler = asyncio.create_task(self._write_fills())

    async def _write_fills(self) -> None:
        while self._fills:
            fills, self._fills = self._fills, []
            # Each entry has the position of its own read. A lower one would not cover the version that it shows.
            await self._breaker.call(partial(self._writer.write, fills))
