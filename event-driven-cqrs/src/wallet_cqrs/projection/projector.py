"""Writes batches of events as rows, with the checkpoint in the same statement, and then shows the balances."""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from contextlib import suppress

import asyncpg
from prometheus_client import Counter, Gauge, Histogram

from wallet_cqrs.balance_cache import Reading
from wallet_cqrs.domain.wallet import ImpossibleEvent
from wallet_cqrs.event_log import AnotherEpoch, EventLog, LogState
from wallet_cqrs.events import UndecodableEvent
from wallet_cqrs.messages import EventBatch, age_s, partition_of
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.projection.event_batches import (
    ContiguousEvents,
    Gap,
    OtherLog,
    advances,
    continues,
    duplicates,
    follow,
    unconfirmed,
)
from wallet_cqrs.projection.known_model import KnownModel, ModelPart
from wallet_cqrs.projection.store import Outdated, Store
from wallet_cqrs.read_model import Checkpoint, Fold
from wallet_kernel.endpoint import LATENCY_BUCKETS_S
from wallet_kernel.runtime.metrics import VISIBLE
from wallet_kernel.runtime.readiness import Degraded
from wallet_kernel.runtime.traces import trace_step

EVENTS = Counter("wallet_projected_events", "Events applied to the read model.", ["partition"])
DUPLICATES = Counter(
    "wallet_projection_duplicates", "Batches that the checkpoint already covered.", ["partition"]
)
AGE = Histogram(
    "wallet_projected_seconds",
    "Time from the middle event of a batch until the read model has it.",
    buckets=LATENCY_BUCKETS_S,
)
GAPS = Counter("wallet_projection_gaps", "Gaps filled from the event store.", ["partition"])
POSITION = Gauge(
    "wallet_projection_position", "The checkpoint: the log position of the read model.", ["partition"]
)
AS_OF = Gauge(
    "wallet_projection_as_of_seconds",
    "The read model shows the state at this Unix time; the time since then is its lag.",
    ["partition"],
)
STOPPED = Gauge("wallet_projection_stopped", "1 while a poison event stops the partition.", ["partition"])

ATTEMPTS_MAX = 3
"""Attempts at a batch with rows just read. Each fails only if another process changes the model meanwhile."""

REMEDY = "Remove the cause, then replay the partition or rebuild the read model (./lab rebuild)."
"""The last line of the reason why poison stopped a partition."""

_log = logging.getLogger(__name__)

_POISON = (UndecodableEvent, ImpossibleEvent, asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


class Poison(Exception):
    """An event of the log cannot be applied. No later event may be applied either."""


class PartitionStopped(Degraded):
    """The partition is stopped until an operator rebuilds or resumes it. The message has the reason and the remedy."""


class UnusableMessage(Exception):
    """The events of a message cannot be applied. The event store may have correct ones."""


class Projector:
    """Keeps one partition's read model up to date with the log.

    The balances of a batch are written to Redis while the next batch is written to Postgres. `showing` is the last
    write to Redis that began.
    """

    def __init__(
        self,
        partition: int,
        partitions: int,
        store: Store,
        log: EventLog,
        cache: BalanceCache,
        chunk_max: int,
        wallets_max: int,
    ) -> None:
        self.partition = partition
        self._partitions = partitions
        self._store = store
        self._log = log
        self._cache = cache
        self._chunk_max = chunk_max
        self._known = Checkpoint(0)
        self._model = KnownModel(wallets_max)
        self.showing: asyncio.Task[None] | None = None
        label = str(partition)
        self._events, self._duplicates, self._gaps = (c.labels(label) for c in (EVENTS, DUPLICATES, GAPS))
        self._position, self._as_of, self._is_stopped = (g.labels(label) for g in (POSITION, AS_OF, STOPPED))

    async def project(self, batches: Sequence[EventBatch]) -> None:
        """Applies these batches to the read model, and begins to show the balances.

        Does nothing if the partition is stopped. Raises UnusableMessage if none of these batches was applied, Poison,
        Outdated, or asyncpg's errors.
        """
        while missing := await self._applied(batches):
            batches = await self._resynchronise(missing, batches)

    async def stop(self, reason: str) -> None:
        """Stops the partition, also after a restart, until an operator resumes it."""
        _log.error("partition stopped", extra={"partition": self.partition, "cause": reason})
        await self._store.stop(reason)
        self._note(reason)

    async def check(self) -> None:
        """Reads the checkpoint. Raises PartitionStopped while the partition is stopped."""
        position, stopped = await self._store.progress()
        self._position.set(position)
        self._note(stopped)
        if stopped is not None:
            raise PartitionStopped(stopped)

    async def compare(self) -> tuple[Checkpoint, LogState]:
        """Returns the checkpoint and the state of the log.

        If the log lost events that are in the model, stops the partition and raises Poison. Raises AnotherEpoch if the
        epoch changes meanwhile, or asyncpg's errors.
        """
        checkpoint = await self._store.checkpoint()
        state = await self._log.state(checkpoint.epoch)
        self._known = Checkpoint(state.head, state.epoch)
        if checkpoint.position > state.shared:
            raise await self._diverged(checkpoint, state)
        return checkpoint, state

    async def _applied(self, batches: Sequence[EventBatch]) -> Gap | OtherLog | None:
        try:
            return await self._confirm(batches) or await self._apply(batches)
        except _POISON as error:
            raise UnusableMessage(f"{type(error).__name__}: {error}") from error

    async def _confirm(self, batches: Sequence[EventBatch]) -> OtherLog | None:
        """Reads the log's head if a batch without new events ends after the last known position.

        Returns OtherLog if a batch may be of another epoch. Raises UnusableMessage if a batch ends beyond the log.
        """
        if (batch := unconfirmed(batches, self._known)) is None:
            return None
        state = await self._log.state(batch.epoch)
        self._known = Checkpoint(state.shared, batch.epoch)
        if (batch := unconfirmed(batches, self._known)) is None:
            return None
        if batch.head > state.head and batch.epoch in (
            None,
            state.epoch,
        ):  # None: from a relay without epochs
            raise UnusableMessage(f"a batch ends at position {batch.head}, but the log ends at {state.head}")
        return OtherLog()

    async def _apply(self, batches: Sequence[EventBatch]) -> Gap | OtherLog | None:
        """Applies batches to the model in memory if they advance it, else to the model in the database.

        Only a write compares the memory with the rows, and only rows just read prove that an event is unusable. Raises
        Outdated if other processes changed the model during every attempt.
        """
        began_s = time.monotonic()
        accounts = {event.stream_id for batch in batches for event in batch.events}
        self._refuse_those_of_other_partitions(accounts)
        known = self._model.part(accounts)
        if known is not None and advances(known.state.checkpoint, batches):
            with suppress(Outdated, *_POISON):
                return await self._apply_to(known, batches, began_s)
            self._model.clear()
        for _ in range(ATTEMPTS_MAX):
            with suppress(Outdated):
                return await self._apply_to(await self._store.read(accounts), batches, began_s)
        raise Outdated(Outdated.__doc__)

    async def _apply_to(
        self, model: ModelPart, batches: Sequence[EventBatch], began_s: float
    ) -> Gap | OtherLog | None:
        """Writes the events that follow the model, and begins to show all wallets of the batches. Raises Outdated.

        That includes wallets of skipped events: the process that applied these may have died before it showed them.
        """
        begin_ns = time.time_ns()
        self._note(model.stopped)
        if model.stopped is not None:
            return None  # after it is resumed, the partition reads these events from the event store
        following = follow(model.state.checkpoint, batches)
        if not isinstance(following, ContiguousEvents):
            return following
        fold, state = Fold(model.wallets), model.state
        fold.apply(following.events)
        if following.head > state.checkpoint.position:
            state = await self._store.write(state, fold, following.head)
        self._model.keep(model.state, state, fold.wallets)
        self._duplicates.inc(duplicates(model.state.checkpoint, batches))
        self._count(state.checkpoint, following)
        if self.showing is not None:  # a wallet's entries are written in order
            await asyncio.wait([self.showing])
        readings = [Reading(wallet, state.checkpoint, began_s) for wallet in fold.wallets]
        self.showing = asyncio.create_task(self._show(readings, state.checkpoint, following, begin_ns))
        return None

    async def _resynchronise(
        self, missing: Gap | OtherLog, batches: Sequence[EventBatch]
    ) -> Sequence[EventBatch]:
        """Reads the missing events from the event store; returns the batches that belong to the same log."""
        checkpoint, state = await self.compare()
        if checkpoint.epoch != state.epoch:
            await self._adopt(checkpoint, state)
        checkpoint = Checkpoint(checkpoint.position, state.epoch)
        same_log = [batch for batch in batches if continues(checkpoint, batch)]
        if isinstance(missing, OtherLog) or len(same_log) < len(batches):
            missing = Gap(checkpoint.position, state.head)  # also has the events of the dropped batches
        await self._fill(state, missing)
        return same_log

    async def _adopt(self, checkpoint: Checkpoint, state: LogState) -> None:
        """Adopts the log's new epoch, which began after the checkpoint: the log has all events of the model."""
        _log.warning("another epoch", extra=self._where(checkpoint, state))
        await self._store.adopt(state.epoch, state.shared)

    async def _diverged(self, checkpoint: Checkpoint, state: LogState) -> Poison:
        """Stops the partition until a rebuild, because the log lost events that are in the model."""
        _log.error("the log lost events that are in the read model", extra=self._where(checkpoint, state))
        reason = f"{diverged(self.partition, checkpoint, state)}; rebuild the read model (./lab rebuild)"
        await self._store.diverge(checkpoint, reason)
        return Poison(reason)

    def _where(self, checkpoint: Checkpoint, state: LogState) -> dict[str, object]:
        return {
            "partition": self.partition,
            "checkpoint": checkpoint.position,
            "checkpoint_epoch": str(checkpoint.epoch),
            "head": state.head,
            "epoch": str(state.epoch),
            "shared": state.shared,
        }

    async def _fill(self, state: LogState, gap: Gap) -> None:
        if gap.until > state.head:
            raise UnusableMessage(f"a batch follows position {gap.until}, but the log ends at {state.head}")
        if gap.until <= gap.after:
            return
        _log.warning("gap", extra={"partition": self.partition, "after": gap.after, "until": gap.until})
        self._gaps.inc()
        after = gap.after  # of each chunk, because the read shard may be restored between two chunks
        try:
            async for reached, events in self._log.chunks(state.epoch, gap.after, gap.until, self._chunk_max):
                mine = [event for event in events if self._is_mine(event.stream_id)]
                if await self._apply([EventBatch(after, reached, mine, state.epoch)]):
                    return
                after = reached
        except AnotherEpoch as error:  # the caller applies its batches again, and then detects the epoch
            _log.warning("gap not filled", extra={"partition": self.partition, "cause": repr(error)})
        except _POISON as error:
            raise Poison(f"{type(error).__name__}: {error}\n{REMEDY}") from error

    def _count(self, checkpoint: Checkpoint, written: ContiguousEvents) -> None:
        if checkpoint.position > self._known.position:
            self._known = checkpoint
        self._position.set(checkpoint.position)
        self._events.inc(len(written.events))
        if written.events:
            AGE.observe(age_s(written.events, time.time()))

    async def _show(
        self, readings: Sequence[Reading], checkpoint: Checkpoint, written: ContiguousEvents, begin_ns: int
    ) -> None:
        await self._cache.show(readings, checkpoint.epoch)
        as_of = time.time()  # a batch without events means that the model is up to date
        if written.events:
            as_of = written.events[-1].at.timestamp()
            VISIBLE.observe(age_s(written.events, time.time()))
        self._as_of.set(as_of)
        trace_step("project", (event.transaction_id for event in written.events), begin_ns)

    def _refuse_those_of_other_partitions(self, accounts: Collection[str]) -> None:
        for account in accounts:
            if not self._is_mine(account):
                raise ImpossibleEvent(f"{account} belongs to another partition")

    def _is_mine(self, account: str) -> bool:
        return partition_of(account, self._partitions) == self.partition

    def _note(self, stopped: str | None) -> None:
        self._is_stopped.set(stopped is not None)


def diverged(partition: int, checkpoint: Checkpoint, state: LogState) -> str:
    """Describes a read model that has events which the log does not have."""
    model = f"the read model of partition {partition} is at position {checkpoint.position}"
    if not state.knows_reader:
        return (
            f"{model} of the epoch {checkpoint.epoch}, which this log never had: the event store was restored to an"
            " older state, or is not the event store of this read model"
        )
    return (
        f"{model}, but only its first {state.shared} events are in the log, which ends at {state.head}: the event store"
        " was restored to an older state"
    )
