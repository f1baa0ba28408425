"""Writes balances to Redis as leases, so that no read after an acknowledgement is stale, in any crash or partition.

Only the shard's writer writes the entries of its wallets. An entry expires at an absolute time. The worker fixes this
time before it reads the database for the entry, so Redis ignores a delayed write. An older version never replaces a
newer one. A command is answered only after its wallet's new value is in Redis. If Redis rejects the write or does not
answer, the worker waits until the last granted lease has expired, and then works without Redis until a write succeeds.

Source: C. Gray and D. Cheriton, "Leases" (SOSP 1989).
"""

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic, time
from typing import NamedTuple

from prometheus_client import Gauge
from redis.asyncio import Redis

from wallet_kernel.cache import CACHE_ERRORS
from wallet_kernel.runtime.metrics import CACHE_FAILURES
from wallet_kernel.tasks import cancel_and_wait
from wallet_saga.balance_cache import PROBE, CacheWriter, entry_of
from wallet_saga.domain.commands import WalletState

CACHE_UP = Gauge("wallet_cache_up", "1 while Redis accepts this worker's writes, else 0.")

CLOCK_SKEW_MAX_S = 0.1
"""The largest allowed difference between the clocks of workers and Redis."""

PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 60.0
"""How long the worker works without Redis before it probes again. The pause doubles if Redis fails within
`PAUSE_MAX_S` after it became usable, because each failure costs a lease."""

_log = logging.getLogger(__name__)


class Lease(NamedTuple):
    """The end of the time for which Redis may show an entry.

    `expires_s` is Unix time, the only clock that worker and Redis share. `ends_s` is the same moment on this process's
    monotonic clock. Local waits use it, because that clock cannot be set.
    """

    expires_s: float
    ends_s: float


class BalanceCache:
    """The worker's side of the balance cache."""

    def __init__(self, redis: "Redis", lease_s: float, timeout_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._timeout_s = timeout_s
        self._writer = CacheWriter(redis, lease_s + CLOCK_SKEW_MAX_S)
        self._up = False
        self._up_since = monotonic()
        self._pause_s = PAUSE_FIRST_S
        self._probing: asyncio.Task[None] | None = None
        self._inherited_end = self._leases_end = 0.0
        self.inherit()

    async def start(self) -> None:
        """Starts to probe Redis. The worker uses Redis after the first successful write."""
        self._probing = asyncio.create_task(self._until_it_takes_writes(0.0, PAUSE_FIRST_S))

    async def close(self) -> None:
        """Stops probing and closes the connection."""
        if self._probing is not None:
            await cancel_and_wait(self._probing)
        await self._redis.aclose()

    def inherit(self) -> None:
        """Treats the predecessor's leases as granted now. Call it when this worker becomes the writer."""
        self._inherited_end = self._leases_end = monotonic() + self._lease_s

    def lease(self) -> Lease:
        """Returns a lease that begins now. Call it before you read the balances from the database."""
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
        await self.wait_for_lease_expiry()

    async def wait_for_lease_expiry(self) -> None:
        """Returns once every lease that this worker or its predecessor granted has expired."""
        await _sleep_until(self._leases_end + CLOCK_SKEW_MAX_S)

    async def wait_for_inherited_leases(self) -> None:
        """Returns once every lease that the predecessor granted has expired."""
        await _sleep_until(self._inherited_end + CLOCK_SKEW_MAX_S)

    async def _write(self, wallets: Sequence[WalletState], lease: Lease) -> None:
        self._leases_end = max(self._leases_end, lease.ends_s)
        entries = [entry_of(wallet) for wallet in wallets]
        async with asyncio.timeout(self._timeout_s):
            await self._writer.write(entries, lease.expires_s)

    async def _probe(self) -> None:
        """Writes to a key that no client reads, so that the worker need not wait for a lease after a failure."""
        async with asyncio.timeout(self._timeout_s):
            await self._writer.write([PROBE], self.lease().expires_s)

    def _lost(self, error: Exception) -> None:
        if monotonic() - self._up_since > PAUSE_MAX_S:
            self._pause_s = PAUSE_FIRST_S
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, PAUSE_MAX_S)
        _log.warning(
            "redis write failed; working without redis", extra={"cause": repr(error), "pause_s": pause_s}
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
        _log.info("redis accepts writes")


async def _sleep_until(moment_s: float) -> None:
    remaining_s = moment_s - monotonic()
    if remaining_s > 0:
        await asyncio.sleep(remaining_s)
