"""Writes balances to Redis as leases, so that no read after an acknowledgement is stale, in any crash or partition.

Only the shard's writer writes the entries of its wallets. It grants a lease when a client's read misses the cache. An
entry expires at an absolute time. The worker fixes this time before it reads the database for the entry, so Redis
ignores a delayed write. An older version never replaces a newer one. A command on a wallet with a live lease is
answered only after the new value is in Redis. Without a live lease, Redis has no entry of the wallet, so the worker
writes none. If Redis rejects the write or does not answer, the worker waits until the last granted lease has expired,
and then works without Redis until a write succeeds.

Source: C. Gray and D. Cheriton, "Leases" (SOSP 1989).
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from time import monotonic, time
from typing import NamedTuple

from prometheus_client import Gauge
from redis.asyncio import Redis

from wallet_kernel.redis_client import CACHE_ERRORS
from wallet_kernel.runtime.metrics import CACHE_FAILURES
from wallet_kernel.tasks import cancel_and_wait
from wallet_saga.balance_cache import CacheWriter, Entry, entry_of, probe
from wallet_saga.domain.commands import WalletState

CACHE_UP = Gauge("wallet_cache_up", "1 while Redis accepts this worker's writes, else 0.")

CLOCK_SKEW_MAX_S = 0.1
"""The largest allowed difference between the clocks of workers and Redis."""

PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 60.0
"""How long the worker works without Redis before it probes again. The pause doubles if Redis fails within
`PAUSE_MAX_S` after it became usable, because each failure costs a lease."""

LEASES_MAX = 100_000
"""How many wallets with live leases are remembered. Above that, every wallet counts as leased until these leases end.
Leases become so many if the clock is set back, because they are live until the clock has reached their end again."""

_log = logging.getLogger(__name__)


class Lease(NamedTuple):
    """The end of the time for which Redis may show an entry.

    `expires_s` is Unix time, the only clock that worker and Redis share. `ends_s` is the same moment on this process's
    monotonic clock. Local waits use it, because that clock cannot be set.
    """

    expires_s: float
    ends_s: float

    @property
    def is_over(self) -> bool:
        """Whether Redis no longer shows the entry. Both clocks must say so, because the clock may be set back."""
        moment_s, now_s = time() - CLOCK_SKEW_MAX_S, monotonic() - CLOCK_SKEW_MAX_S
        return moment_s >= self.expires_s and now_s >= self.ends_s


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
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        self._inherited = self.lease()
        self._leases_end = self._inherited.ends_s

    async def start(self) -> None:
        """Starts to probe Redis. The worker uses Redis after the first successful write."""
        self._probing = asyncio.create_task(self._until_it_takes_writes(0.0, PAUSE_FIRST_S))

    async def close(self) -> None:
        """Stops probing and closes the connection."""
        if self._probing is not None:
            await cancel_and_wait(self._probing)
        await self._redis.aclose()

    def inherit(self) -> None:
        """Treats all leases, also those of a predecessor, as granted now.

        Call it when this worker becomes the writer, and when it does not know whether a batch was committed.
        """
        self._inherited = self.lease()
        self._leases_end = self._inherited.ends_s

    def lease(self) -> Lease:
        """Returns a lease that begins now. Call it before you read the balances from the database."""
        return Lease(time() + self._lease_s, monotonic() + self._lease_s)

    async def show(
        self, read: Sequence[WalletState], lease: Lease, posted: Sequence[WalletState] = ()
    ) -> None:
        """Shows the `read` wallets until the lease ends, and the `posted` ones where Redis may have an entry.

        Returns once no reader can see an older version of these wallets.
        """
        if self._up:
            try:
                await self._write(self._granted(read, lease) + self._updated(posted, lease))
                return
            except CACHE_ERRORS as error:
                self._lost(error)
        if read or posted:
            await self._wait_for_lease_expiry()

    async def wait_for_inherited_leases(self) -> None:
        """Returns once every lease that was granted before the last `inherit` has expired."""
        await _sleep_until(self._inherited.ends_s + CLOCK_SKEW_MAX_S)

    def _granted(self, wallets: Iterable[WalletState], lease: Lease) -> list[Entry]:
        """Grants the lease to these wallets, and returns their entries."""
        entries = []
        for wallet in wallets:
            self._leases_end = max(self._leases_end, lease.ends_s)
            self._leases[wallet.account_id] = lease
            self._leases.move_to_end(wallet.account_id)
            entries.append(entry_of(wallet, lease.expires_s))
        if len(self._leases) > LEASES_MAX:
            self._forget_leases()
        return entries

    def _forget_leases(self) -> None:
        """Counts every wallet as leased until the remembered leases and the inherited ones end."""
        expires_s = max(lease.expires_s for lease in (self._inherited, *self._leases.values()))
        self._inherited = Lease(expires_s, self._leases_end)
        self._leases.clear()

    def _updated(self, wallets: Iterable[WalletState], lease: Lease) -> list[Entry]:
        """Returns the entries of the wallets with a live lease. They expire with that lease.

        The predecessor may have granted leases for any wallets. Until these are over, every wallet gets the new lease.
        """
        if not self._inherited.is_over:
            return self._granted(wallets, lease)
        while self._leases and next(iter(self._leases.values())).is_over:
            self._leases.popitem(last=False)
        leased = [(wallet, self._leases.get(wallet.account_id)) for wallet in wallets]
        return [entry_of(wallet, granted.expires_s) for wallet, granted in leased if granted]

    async def _wait_for_lease_expiry(self) -> None:
        """Returns once every lease that this worker or its predecessor granted has expired."""
        await _sleep_until(self._leases_end + CLOCK_SKEW_MAX_S)

    async def _write(self, entries: Sequence[Entry]) -> None:
        if entries:
            async with asyncio.timeout(self._timeout_s):
                await self._writer.write(entries)

    async def _probe(self) -> None:
        """Writes to a key that no client reads, so that the worker need not wait for a lease after a failure."""
        await self._write([probe(self.lease().expires_s)])

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
