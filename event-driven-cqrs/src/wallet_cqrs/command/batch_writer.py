"""Appends a batch of commands to the log, and then returns their outcomes. Bisects a batch with a faulty command."""

import logging
import time
from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import Counter, Gauge

from wallet_cqrs.command.appender import Appender, CacheInvalid, Item
from wallet_cqrs.command.event_store import EventStore
from wallet_cqrs.command.loading import Loaded, Loader
from wallet_cqrs.command.snapshots import SnapshotWriter
from wallet_cqrs.command.wallet_cache import WalletCache
from wallet_cqrs.domain.batch import Batch
from wallet_cqrs.domain.submissions import NotDone, NotLoaded, Outcome, Submission, Unknown, accounts_of
from wallet_cqrs.domain.wallet import ImpossibleEvent
from wallet_cqrs.events import UndecodableEvent
from wallet_kernel.batcher import PAUSE_MAX_S, Batcher, Pending
from wallet_kernel.bisection import ItemAtFault
from wallet_kernel.database import DATABASE_ERRORS, CommitUnknown, is_of_a_row
from wallet_kernel.outages import Outage
from wallet_kernel.runtime.metrics import TRANSACTION
from wallet_kernel.runtime.traces import trace_step

COMMANDS = Counter("wallet_commands", "Commands by outcome.", ["command", "outcome"])
EVENTS = Counter("wallet_events_appended", "Events this replica appended to the log.")
HEAD = Gauge("wallet_log_head", "The last position of the log that this process has read.")

NOT_DONE = NotDone()
NOT_LOADED = NotLoaded()
UNKNOWN = Unknown()

_log = logging.getLogger(__name__)

_STREAM_AT_FAULT = (UndecodableEvent, ImpossibleEvent)


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
        self._appender = Appender(store, cache, snapshots.every)
        self._loaded = Loaded()
        self._batcher: Batcher[Item, Outcome] = Batcher(
            "commands",
            self._apply,
            prepare=self._load,
            batch_max=batch_max,
            queue_max=queue_max,
            not_done=NOT_DONE,
            pause_max_s=PAUSE_MAX_S,
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
        """Loads wallets before the lock is taken, so that other replicas do not wait for a slow load.

        Also loads them again for a part of a batch, because the faulty command has cleared the memory.
        """
        if not self._store.continues(self._cache.origin):
            self._cache.clear()
        self._cache.evict()  # also while no batch can be appended
        missing = self._cache.missing(accounts_of(items))
        self._loaded = await self._loader.load(missing) if missing else Loaded()
        if self._loaded.error is not None:
            self._outage.failed(self._loaded.error, len(items))

    async def _apply(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Appends the commands whose wallets are in memory. Raises ItemAtFault."""
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
                appended = await self._appender.append(items)
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
        outcomes = self._appended(*appended)
        _count(items, outcomes)
        trace_step(
            "append", (item.transaction_id for item in items if isinstance(item, Submission)), begin_ns
        )
        return outcomes

    def _appended(self, batch: Batch, now: datetime) -> Sequence[Outcome]:
        batch.date(now)
        self._cache.committed(batch.position, batch.changed)
        self._snapshots.add(batch.snapshots)
        EVENTS.inc(len(batch.events))
        HEAD.set(batch.position)
        return batch.outcomes


def _count(items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
    commands = (type(item.command if isinstance(item, Submission) else item) for item in items)
    for (command, outcome), count in Tally(zip(commands, map(type, outcomes), strict=True)).items():
        COMMANDS.labels(command.__name__, outcome.__name__).inc(count)
