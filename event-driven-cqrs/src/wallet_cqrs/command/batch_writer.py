"""Decides a batch of commands, appends its events to the log in one transaction, and then returns the outcomes."""

import logging
import time
from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import Counter, Gauge

from wallet_cqrs.command.event_store import AppendTransaction, EventStore
from wallet_cqrs.command.loading import Loaded, Loader
from wallet_cqrs.command.snapshots import SnapshotWriter
from wallet_cqrs.command.wallet_cache import WalletCache
from wallet_cqrs.domain.batch import Batch
from wallet_cqrs.domain.submissions import (
    NotDone,
    NotLoaded,
    Outcome,
    StatusCommand,
    Submission,
    Unknown,
    accounts_of,
)
from wallet_cqrs.domain.wallet import ImpossibleEvent
from wallet_cqrs.events import UndecodableEvent
from wallet_kernel.batcher import Batcher, Pending
from wallet_kernel.bisection import ItemAtFault, bisected, is_of_a_row
from wallet_kernel.database import DATABASE_ERRORS, CommitUnknown
from wallet_kernel.outages import Outage
from wallet_kernel.runtime.metrics import TRANSACTION
from wallet_kernel.runtime.traces import trace_step

COMMANDS = Counter("wallet_commands", "Commands by outcome.", ["command", "outcome"])
EVENTS = Counter("wallet_events_appended", "Events this replica appended to the log.")
HEAD = Gauge("wallet_log_head", "The last position of the log that this process knows of.")
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

NOT_DONE = NotDone()
NOT_LOADED = NotLoaded()
UNKNOWN = Unknown()

_log = logging.getLogger(__name__)

_STREAM_AT_FAULT = (UndecodableEvent, ImpossibleEvent)

Item = Submission | StatusCommand


class CacheInvalid(Exception):
    """The log is too far ahead of this replica's cache, or has another origin. Nothing was done."""


class CacheBehind(Exception):
    """The log is so far ahead that the replica must read it without the lock first. Nothing was done."""

    def __init__(self, head: int) -> None:
        super().__init__(f"the log is at {head}")
        self.head = head


class BatchWriter:
    """Decides and appends commands, one batch at a time. The lock on the log's head orders the replicas."""

    def __init__(
        self,
        store: EventStore,
        cache: WalletCache,
        snapshots: SnapshotWriter,
        *,
        batch_max: int,
        queue_max: int,
    ) -> None:
        self._store = store
        self._cache = cache
        self._snapshots = snapshots
        self._outage = Outage(_log, "event-store")
        self._loader = Loader(store, cache, snapshots)
        self._loaded = Loaded()
        self._batcher: Batcher[Item, Outcome] = Batcher(
            "commands", self._apply, prepare=self._load, batch_max=batch_max, queue_max=queue_max
        )

    def submit(self, item: Item) -> Pending[Outcome]:
        """Queues a command. Its outcome is durable, or NotDone, NotLoaded or Unknown.

        Raises QueueFull if the queue is full; then nothing was done. Cancelling the result before a batch has taken
        the command withdraws the command: nothing is done.
        """
        return self._batcher.submit(item)

    async def drain(self) -> None:
        """Waits until all submitted commands have an outcome."""
        await self._batcher.drain()

    async def _load(self, items: Sequence[Item]) -> None:
        """Loads wallets before the lock is taken, so that other replicas do not wait for a slow load."""
        if not self._store.continues(self._cache.origin):
            self._cache.clear()
        missing = self._cache.missing(accounts_of(items))
        self._loaded = await self._loader.load(missing) if missing else Loaded()
        if self._loaded.error is not None:
            self._outage.failed(self._loaded.error, len(items))

    async def _apply(self, items: Sequence[Item]) -> Sequence[Outcome]:
        return await bisected(items, self._attempt, NOT_DONE)

    async def _attempt(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Appends the commands whose wallets are in memory. Raises ItemAtFault."""
        if self._cache.position is None and self._loaded.error is None:  # cleared after a faulty command
            await self._load(items)
        if not self._loaded.missing:
            return await self._append(items)
        failed = {number: why for number, item in enumerate(items) if (why := self._why_not(item))}
        ready = [item for number, item in enumerate(items) if number not in failed]
        outcomes = iter(await self._append(ready) if ready else ())
        return [failed.get(number) or next(outcomes) for number in range(len(items))]

    def _why_not(self, item: Item) -> NotDone | NotLoaded | None:
        accounts = accounts_of([item])
        if accounts.isdisjoint(self._loaded.missing):
            return None
        is_hopeless = self._loaded.error is not None or not accounts.isdisjoint(self._loaded.broken)
        return NOT_DONE if is_hopeless else NOT_LOADED

    async def _append(self, items: Sequence[Item]) -> Sequence[Outcome]:
        begin_ns = time.time_ns()
        try:
            with TRANSACTION.time():
                batch, outcomes = await self._transact(items)
        except CacheInvalid as why:  # not retried here; the caller retries until its deadline
            _log.warning("cache cleared", extra={"commands": len(items), "cause": str(why)})
            self._cache.clear()
            return [NOT_DONE] * len(items)
        except CommitUnknown:
            _log.exception("a batch may not have been committed", extra={"commands": len(items)})
            self._cache.clear()
            return [UNKNOWN] * len(items)
        except ItemAtFault:
            _log.exception("a batch was rolled back", extra={"commands": len(items)})
            self._cache.clear()
            raise
        except Exception as error:
            # Nothing was appended. Only faults of a row or a stream are bisected, because any other fault affects all.
            if isinstance(error, _STREAM_AT_FAULT) or is_of_a_row(error):
                self._cache.clear()
                raise ItemAtFault(repr(error)) from error
            if isinstance(error, DATABASE_ERRORS):  # the cache stays: the rollback changed no wallet in it
                self._outage.failed(error, len(items))
            else:
                self._cache.clear()
                _log.exception("a batch was not appended", extra={"commands": len(items)})
            return [NOT_DONE] * len(items)
        self._outage.ended()
        self._committed(batch)
        _count(items, outcomes)
        trace_step(
            "append", (item.transaction_id for item in items if isinstance(item, Submission)), begin_ns
        )
        return outcomes

    async def _transact(self, items: Sequence[Item]) -> tuple[Batch, list[Outcome]]:
        for _ in range(CATCH_UPS_MAX):
            try:
                return await self._transact_once(items, CATCH_UP_LOCKED_MAX)
            except CacheBehind as behind:
                await self._catch_up_unlocked(behind.head)
        return await self._transact_once(items, CATCH_UP_MAX)

    async def _transact_once(self, items: Sequence[Item], catch_up_max: int) -> tuple[Batch, list[Outcome]]:
        async with self._store.transaction() as transaction:
            await self._catch_up(transaction, catch_up_max)
            known = await transaction.find_decisions(items)
            batch = Batch(
                self._cache.wallets, transaction.head, transaction.now, known, self._snapshots.every
            )
            outcomes = _decide_all(batch, items)
            await transaction.append(batch)
        return batch, outcomes

    def _committed(self, batch: Batch) -> None:
        self._cache.committed(batch.position, batch.changed)
        self._snapshots.add(batch.snapshots)
        EVENTS.inc(len(batch.rows))
        HEAD.set(batch.position)

    async def _catch_up_unlocked(self, head: int) -> None:
        """Reads events up to `head` without the lock. The next transaction checks the head again."""
        position = self._cache.position
        assert position is not None, "a replica without a position is not behind"
        self._cache.catch_up(head, await self._store.appended(position, head))

    async def _catch_up(self, transaction: AppendTransaction, events_max: int) -> None:
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


def _decide_all(batch: Batch, items: Sequence[Item]) -> list[Outcome]:
    try:
        return [batch.decide(item) for item in items]
    except Exception as error:
        raise ItemAtFault(repr(error)) from error


def _count(items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
    commands = (type(item.command if isinstance(item, Submission) else item) for item in items)
    for (command, outcome), count in Tally(zip(commands, map(type, outcomes), strict=True)).items():
        COMMANDS.labels(command.__name__, outcome.__name__).inc(count)
