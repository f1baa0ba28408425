"""Balances in Redis, as leases: no read after an acknowledgement is stale, in any crash or partition.

The shard's worker is the only writer of its wallets' entries. An entry expires at an absolute time, fixed before the
database was read for it, so a delayed write is dead on arrival, and an older version never outlives a newer one's
lease. A step is answered only after its wallet's new value is in Redis or, when Redis does not answer, after the last
lease ever granted has run out. From then on the worker works without Redis until it answers again.

The idea of leases on cached data: C. Gray and D. Cheriton, "Leases" (SOSP 1989).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from prometheus_client import Gauge
from redis.asyncio import Redis

from wallet_kernel.cache import CACHE_ERRORS
from wallet_kernel.contract.answers import wallet_body
from wallet_kernel.runtime.metrics import CACHE_FAILURES
from wallet_saga.balances import cache_entry, cache_key, wallet_view
from wallet_saga.protocol import WalletState

CACHE_UP = Gauge("wallet_cache_up", "1 while Redis answers this worker, else 0.")

CLOCK_SKEW_MAX_S = 0.1
"""By how much the clocks of workers and Redis may differ."""

_PROBE_INTERVAL_S = 0.5

# KEYS: entries. ARGV: when they expire (Unix ms), then version and value of each. Versions decide: a late write of an
# older value never replaces a newer one.
_SHOW = """
for i, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  local version = tonumber(ARGV[2 * i])
  if not held or tonumber(string.match(held, '^%d+')) <= version then
    redis.call('SET', key, ARGV[2 * i + 1], 'PXAT', ARGV[1])
  end
end
"""

_log = logging.getLogger(__name__)


class BalanceCache:
    """The worker's side of the balance cache. Times are Unix seconds."""

    def __init__(self, redis: "Redis", lease_s: float, timeout_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._timeout_s = timeout_s
        self._show = redis.register_script(_SHOW)
        self._up = False
        self._probe: asyncio.Task[None] | None = None
        # A worker that was here before may have granted leases up to this moment.
        self._inherited_end = self._leases_end = time.time() + lease_s

    async def start(self) -> None:
        """Begins to use Redis once it answers."""
        self._probe = asyncio.create_task(self._until_it_answers())

    async def close(self) -> None:
        """Stops probing and closes the connection."""
        if self._probe is not None:
            self._probe.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probe
        await self._redis.aclose()

    def lease(self) -> float:
        """When a lease that begins now ends. Take it before reading what will be shown under it."""
        return time.time() + self._lease_s

    async def show(self, wallets: Sequence[WalletState], lease_end: float) -> None:
        """Returns once no reader can see an older version of these wallets."""
        if not wallets:
            return
        if self._up:
            try:
                await self._write(wallets, lease_end)
                return
            except CACHE_ERRORS as error:
                self._lost(error)
        await self.sit_out()

    async def sit_out(self) -> None:
        """Returns once nothing is shown any more that this worker, or one before it, ever showed."""
        await _sleep_until(self._leases_end + CLOCK_SKEW_MAX_S)

    async def outlive_predecessor(self) -> None:
        """Returns once nothing is shown any more that a worker before this one left behind."""
        await _sleep_until(self._inherited_end + CLOCK_SKEW_MAX_S)

    async def _write(self, wallets: Sequence[WalletState], lease_end: float) -> None:
        self._leases_end = max(self._leases_end, lease_end)
        arguments: list[str | bytes | int] = [int(lease_end * 1000)]
        for wallet in wallets:
            arguments += (wallet.version, cache_entry(wallet.version, wallet_body(wallet_view(wallet))))
        async with asyncio.timeout(self._timeout_s):
            await self._show(keys=[cache_key(wallet.account_id) for wallet in wallets], args=arguments)

    def _lost(self, error: Exception) -> None:
        _log.warning("redis does not answer; working without it", extra={"cause": repr(error)})
        CACHE_FAILURES.inc()
        CACHE_UP.set(0)
        self._up = False
        self._probe = asyncio.create_task(self._until_it_answers())

    async def _until_it_answers(self) -> None:
        while not self._up:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._redis.ping()
                self._up = True
            except CACHE_ERRORS:
                await asyncio.sleep(_PROBE_INTERVAL_S)
        CACHE_UP.set(1)
        _log.info("redis answers")


async def _sleep_until(moment_s: float) -> None:
    remaining_s = moment_s - time.time()
    if remaining_s > 0:
        await asyncio.sleep(remaining_s)
