"""Decides a batch on the wallets in memory, and appends it to the log: in one statement, or under the head's lock.

The statement appends only if no other replica has appended since, and if every id and key is new. Otherwise the batch
is decided again under the lock. docs/cqrs-protocol.md has a table of the cases.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from prometheus_client import Counter

from wallet_cqrs.command.event_store import AppendTransaction, EventStore
from wallet_cqrs.command.wallet_cache import WalletCache
from wallet_cqrs.domain.batch import Batch
from wallet_cqrs.domain.submissions import Decided, StatusCommand, Submission
from wallet_kernel.bisection import ItemAtFault

CAUGHT_UP = Counter(
    "wallet_events_caught_up", "Events of other replicas that this replica read under the lock."
)

CATCH_UP_LOCKED_MAX = 4000
"""The most events that a replica reads under the lock, about 15 µs each. Two full batches append that many.
A replica that is further behind reads the events without the lock, and then starts its transaction again."""

CATCH_UPS_MAX = 3
"""How often a replica does so for one batch. After that it reads the rest under the lock, so that it can append."""

CATCH_UP_MAX = 20_000
"""The most events that a replica catches up with. If it is further behind, it clears its cache, and the callers send
their commands again."""

LOCKED_BATCHES = 8
"""After a conflict, a replica locks the head first, until this many batches in a row had no conflict. A statement that
fails costs as much as one that appends."""

Item = Submission | StatusCommand


class CacheInvalid(Exception):
    """The log is too far ahead of this replica's cache, or has another origin. Nothing was done."""


class CacheBehind(Exception):
    """The log is so far ahead that the replica must read it without the lock first. Nothing was done."""

    def __init__(self, head: int) -> None:
        super().__init__(f"the log is at {head}")
        self.head = head


class Appended(NamedTuple):
    """A batch in the log, and the time of its append."""

    batch: Batch
    now: datetime


class Appender:
    """Appends batches, one at a time. A batch gets a snapshot of every `snapshot_every`th version of a wallet."""

    def __init__(self, store: EventStore, cache: WalletCache, snapshot_every: int) -> None:
        self._store = store
        self._cache = cache
        self._snapshot_every = snapshot_every
        self._locked_batches = 0

    async def append(self, items: Sequence[Item]) -> Appended:
        """Decides commands whose wallets are in memory, and appends the results.

        Raises CommitUnknown. If it raises CacheInvalid, ItemAtFault or a database error, nothing was appended.
        """
        return await self._append_directly(items) or await self._append_locked(items)

    async def _append_directly(self, items: Sequence[Item]) -> Appended | None:
        """Appends in one statement. Returns None if that is not possible; then nothing was appended."""
        origin, position = self._cache.origin, self._cache.position
        if origin is None or position is None or self._locked_batches or any(map(_is_resent, items)):
            return None
        batch = self._decided(items, position)
        now = await self._store.append(origin, batch)
        return Appended(batch, now) if now else None

    async def _append_locked(self, items: Sequence[Item]) -> Appended:
        for _ in range(CATCH_UPS_MAX):
            try:
                return await self._append_once_locked(items, CATCH_UP_LOCKED_MAX)
            except CacheBehind as behind:
                await self._catch_up_unlocked(behind.head)
        return await self._append_once_locked(items, CATCH_UP_MAX)

    async def _append_once_locked(self, items: Sequence[Item], catch_up_max: int) -> Appended:
        async with self._store.transaction() as transaction:
            caught_up = await self._catch_up(transaction, catch_up_max)
            known = await transaction.find_decisions(items)
            batch = self._decided(items, transaction.head, known)
            now = await transaction.append(batch)
        self._locked_batches = LOCKED_BATCHES if caught_up or known else max(self._locked_batches - 1, 0)
        return Appended(batch, now)

    def _decided(self, items: Sequence[Item], head: int, known: Sequence[Decided] = ()) -> Batch:
        batch = Batch(self._cache.wallets, head, known, self._snapshot_every)
        try:
            for item in items:
                batch.decide(item)
        except Exception as error:
            raise ItemAtFault(repr(error)) from error
        return batch

    async def _catch_up_unlocked(self, head: int) -> None:
        """Reads events up to `head` without the lock. The next transaction checks the head again."""
        position = self._cache.position
        assert position is not None, "a replica without a position is not behind"
        self._cache.catch_up(head, await self._store.appended(position, head))

    async def _catch_up(self, transaction: AppendTransaction, events_max: int) -> bool:
        """Applies the events of other replicas. Returns whether there were any. Raises CacheInvalid, CacheBehind."""
        position = self._cache.position
        # With another origin, the log may have been restored from a backup, without events that the cache contains.
        if transaction.origin != self._cache.origin:
            raise CacheInvalid(
                f"the log has {transaction.origin}, the wallets in memory have {self._cache.origin}"
            )
        if position is None or not 0 <= transaction.head - position <= CATCH_UP_MAX:
            raise CacheInvalid(f"the log is at {transaction.head}, this replica at {position}")
        if transaction.head - position > events_max:
            raise CacheBehind(transaction.head)
        if transaction.head > position:
            self._cache.catch_up(transaction.head, await transaction.appended(position))
            CAUGHT_UP.inc(transaction.head - position)
        return transaction.head > position


def _is_resent(item: Item) -> bool:
    return isinstance(item, Submission) and item.resent
