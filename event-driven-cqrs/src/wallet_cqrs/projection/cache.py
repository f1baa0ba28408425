"""Writes balances to Redis after each commit. If Redis fails, no data is lost, because the read model has it."""

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, Reading
from wallet_kernel.redis_client import Breaker
from wallet_kernel.runtime.metrics import CACHE_FAILURES

WRITTEN_MAX = 1000
"""The most balances that one call writes, in about 20 ms. A call with all wallets of a long backlog would exceed the
timeout, and would block Redis for other clients."""

UNWRITTEN_MAX = 10_000
"""The most balances of failed writes that the next write repeats. Entries of the others stay old until they expire."""


class BalanceCache:
    """Writes one partition's wallets to Redis and announces them. Readers find missing entries in the read model.

    If a write fails, the next one repeats its wallets: Redis still has their older entries.
    """

    def __init__(self, redis: "Redis", ttl_s: float, timeout_s: float) -> None:
        self._writer = CacheWriter(redis, ttl_s, announce=True)
        self._breaker = Breaker(timeout_s, CACHE_FAILURES)
        self._unwritten: dict[str, Reading] = {}

    async def show(self, readings: Sequence[Reading], epoch: UUID | None) -> None:
        """Writes and announces wallets of the read model in this epoch. Never raises.

        Ends after the first call that fails or exceeds the timeout. Must not run twice at the same time.
        """
        self._unwritten = self._still_unwritten(readings, epoch)
        is_written = True
        while self._unwritten and is_written:
            is_written = bool(await self._breaker.call(self._write_some))
        for account in list(self._unwritten)[:-UNWRITTEN_MAX]:
            del self._unwritten[account]

    def _still_unwritten(self, readings: Sequence[Reading], epoch: UUID | None) -> dict[str, Reading]:
        """Returns these readings after the earlier ones that they do not replace.

        Drops readings of another epoch, because the log may have lost their events.
        """
        new = {reading.wallet.account_id: reading for reading in readings}
        earlier = {
            account: reading
            for account, reading in self._unwritten.items()
            if reading.checkpoint.epoch == epoch and account not in new
        }
        return earlier | new

    async def _write_some(self) -> bool:
        some = dict(islice(self._unwritten.items(), WRITTEN_MAX))
        await self._writer.write(some.values())
        for account in some:
            del self._unwritten[account]
        return True
