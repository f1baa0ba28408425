"""Balances in Redis, as leases: no read after an acknowledgement is stale, in any crash or partition.

The shard's writer is the only writer of its wallets' entries. An entry expires at an absolute time, fixed before the
database was read for it, so Redis ignores a delayed write, and an older version never outlives a newer one's
lease. A step is answered only after its wallet's new value is in Redis or, when Redis rejects or does not answer the
write, after the last lease ever granted has run out. Then the worker works without Redis until it takes writes again.

The idea of leases on cached data: C. Gray and D. Cheriton, "Leases" (SOSP 1989).
"""

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic, time
from typing import NamedTuple

from prometheus_client import Gauge
from redis.asyncio import Redis

from wallet_kernel.cache import CACHE_ERRORS
from wallet_kernel.contract.answers import wallet_body
from wallet_kernel.runtime.metrics import CACHE_FAILURES
from wallet_kernel.tasks import end
from wallet_saga.balances import PROBE_KEY, cache_entry, cache_key, wallet_view
from wallet_saga.protocol import WalletState

CACHE_UP = Gauge("wallet_cache_up", "1 while Redis takes this worker's writes, else 0.")

CLOCK_SKEW_MAX_S = 0.1
"""By how much the clocks of workers and Redis may differ."""

PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 60.0
"""How long the worker works without Redis before it probes again. The pause doubles each time that Redis fails soon
after a probe, because each failure costs a lease."""

# KEYS: entries. ARGV: when they expire (Unix ms), the longest time they may live (ms), then version and value of each.
# Versions decide: a late write of an older value never replaces a newer one. If the worker's clock is ahead, entries
# would outlive their leases, so the write is refused.
_SHOW = """
local now = redis.call('TIME')
if ARGV[1] - (now[1] * 1000 + now[2] / 1000) > tonumber(ARGV[2]) then
  return redis.error_reply('CLOCK the clock of the worker is ahead of the clock of Redis')
end
for i, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  local version = tonumber(ARGV[2 * i + 1])
  if not held or tonumber(string.match(held, '^%d+')) <= version then
    redis.call('SET', key, ARGV[2 * i + 2], 'PXAT', ARGV[1])
  end
end
"""

_log = logging.getLogger(__name__)


class Lease(NamedTuple):
    """How long an entry may be shown.

    `expires_s` is Unix time, because Redis has no other clock in common with the worker. `ends_s` is the same moment
    by this process's monotonic clock, which nobody sets: local waits use it.
    """

    expires_s: float
    ends_s: float


class BalanceCache:
    """The worker's side of the balance cache."""

    def __init__(self, redis: "Redis", lease_s: float, timeout_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._timeout_s = timeout_s
        self._show = redis.register_script(_SHOW)
        self._up = False
        self._up_since = monotonic()
        self._pause_s = PAUSE_FIRST_S
        self._probing: asyncio.Task[None] | None = None
        self._inherited_end = self._leases_end = 0.0
        self.inherit()

    async def start(self) -> None:
        """Begins to use Redis once it takes writes."""
        self._probing = asyncio.create_task(self._until_it_takes_writes(0.0, PAUSE_FIRST_S))

    async def close(self) -> None:
        """Stops probing and closes the connection."""
        if self._probing is not None:
            await end(self._probing)
        await self._redis.aclose()

    def inherit(self) -> None:
        """Notes that another worker may have granted leases until now. Call it when this one becomes the writer."""
        self._inherited_end = self._leases_end = monotonic() + self._lease_s

    def lease(self) -> Lease:
        """A lease that begins now. Take it before reading what will be shown under it."""
        return Lease(time() + self._lease_s, monotonic() + self._lease_s)

    async def show(self, wallets: Sequence[WalletState], lease: Lease) -> None:
        """Returns once no reader can see an older version of these wallets."""
        if not wallets:
            return
        if self._up:
            try:
                await self._write(wallets, lease)
                return
            except CACHE_ERRORS as error:
                self._lost(error)
        await self.sit_out()

    async def sit_out(self) -> None:
        """Returns once Redis shows nothing that this worker, or one before it, ever wrote."""
        await _sleep_until(self._leases_end + CLOCK_SKEW_MAX_S)

    async def outlive_predecessor(self) -> None:
        """Returns once Redis shows nothing that a worker before this one wrote."""
        await _sleep_until(self._inherited_end + CLOCK_SKEW_MAX_S)

    async def _write(self, wallets: Sequence[WalletState], lease: Lease) -> None:
        self._leases_end = max(self._leases_end, lease.ends_s)
        keys = [cache_key(wallet.account_id) for wallet in wallets]
        entries = [cache_entry(wallet.version, wallet_body(wallet_view(wallet))) for wallet in wallets]
        await self._call(keys, [wallet.version for wallet in wallets], entries, lease)

    async def _probe(self) -> None:
        """Writes as `show` does, but to a key that no client reads, so that a failure needs no wait."""
        await self._call([PROBE_KEY], [1], [cache_entry(1, b"{}")], self.lease())

    async def _call(
        self, keys: Sequence[str], versions: Sequence[int], entries: Sequence[bytes], lease: Lease
    ) -> None:
        longest_ms = int((self._lease_s + CLOCK_SKEW_MAX_S) * 1000)
        arguments: list[bytes | int] = [int(lease.expires_s * 1000), longest_ms]
        for version, entry in zip(versions, entries, strict=True):
            arguments += (version, entry)
        async with asyncio.timeout(self._timeout_s):
            await self._show(keys=keys, args=arguments)

    def _lost(self, error: Exception) -> None:
        if monotonic() - self._up_since > PAUSE_MAX_S:
            self._pause_s = PAUSE_FIRST_S
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, PAUSE_MAX_S)
        _log.warning(
            "redis takes no writes; working without it", extra={"cause": repr(error), "pause_s": pause_s}
        )
        CACHE_FAILURES.inc()
        CACHE_UP.set(0)
        self._up = False
        self._probing = asyncio.create_task(self._until_it_takes_writes(pause_s, pause_s))

    async def _until_it_takes_writes(self, first_pause_s: float, pause_s: float) -> None:
        await asyncio.sleep(first_pause_s)
        while not self._up:
            try:
                await self._probe()
                self._up, self._up_since = True, monotonic()
            except CACHE_ERRORS:
                await asyncio.sleep(pause_s)
        CACHE_UP.set(1)
        _log.info("redis takes writes")


async def _sleep_until(moment_s: float) -> None:
    remaining_s = moment_s - monotonic()
    if remaining_s > 0:
        await asyncio.sleep(remaining_s)
