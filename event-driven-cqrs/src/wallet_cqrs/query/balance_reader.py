"""Balances: from Redis where its entry is fresh enough for the reader, else from the read model; both in batches."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, Entry, cache_key, entry_of, parse_entry
from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.messages import partition_of
from wallet_cqrs.query.positions import not_reached
from wallet_cqrs.query.read_shard import ReadShard
from wallet_cqrs.read_model import Checkpoint
from wallet_kernel.batcher import Batcher, QueueFull
from wallet_kernel.cache import Breaker
from wallet_kernel.runtime.metrics import CACHE_READS

FILLS_MAX = 1000
"""Entries that may wait to be put back into Redis; those above are left out."""


class BalanceReader:
    """The query service's side of the balances."""

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
        """A wallet's entry that reflects at least `min_position`; None where there is no such wallet.

        Raises Problem if the position is not reached in time, QueueFull, BulkheadFull, or what asyncpg raises.
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
        """The same, whatever Redis has."""
        shard = self._shard(account_id)
        if min_position:
            await shard.positions.reach(min_position)
        wallet, checkpoint = await shard.balance(account_id)
        if checkpoint.position < min_position:  # the read model was set back to an older one
            raise not_reached(checkpoint.position, min_position)
        if wallet is None:
            return None
        self._fill(wallet, checkpoint)
        return entry_of(wallet, checkpoint)

    def _shard(self, account_id: str) -> ReadShard:
        return self._shards[partition_of(account_id, len(self._shards))]

    def checkpoint(self, account_id: str) -> int | None:
        """The position of the wallet's read model as the projection notified it; None while it does not."""
        return self._shards[partition_of(account_id, len(self._shards))].positions.followed

    async def _cached(self, account_id: str) -> Entry | None:
        try:
            return await self._batcher.submit(account_id)
        except QueueFull:
            return None

    async def _look_up(self, accounts: Sequence[str]) -> Sequence[Entry | None]:
        keys = [cache_key(account) for account in accounts]
        found = await self._breaker.call(lambda: self._redis.mget(keys)) or [None] * len(keys)
        return [parse_entry(raw) if isinstance(raw, bytes) else None for raw in found]

    def _fill(self, wallet: Wallet, checkpoint: Checkpoint) -> None:
        """Puts a wallet that Redis did not have back, off the reader's path."""
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
        # The lowest of their positions holds for all of them.
        checkpoint = Checkpoint(min(checkpoint.position for _, checkpoint in fills), epoch)
        wallets = [wallet for wallet, _ in fills]
        await self._breaker.call(lambda: self._writer.write(wallets, checkpoint))
