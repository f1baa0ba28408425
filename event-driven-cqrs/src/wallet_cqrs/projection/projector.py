"""The projection's one use case: groups of events become rows, with their checkpoint in one transaction, and show."""

import logging
import time
from collections.abc import Collection, Sequence

import asyncpg
from prometheus_client import Counter, Gauge

from wallet_cqrs.domain.wallet import ImpossibleEvent
from wallet_cqrs.event_log import AnotherEpoch, EventLog, LogState
from wallet_cqrs.events import UndecodableEvent
from wallet_cqrs.messages import Group, partition_of
from wallet_cqrs.projection.cache import Cache
from wallet_cqrs.projection.groups import Gap, OtherLog, Stretch, continues, follow
from wallet_cqrs.projection.store import Store, Transaction
from wallet_cqrs.read_model import Checkpoint, Fold
from wallet_kernel.runtime.metrics import VISIBLE
from wallet_kernel.runtime.traces import trace_step

EVENTS = Counter("wallet_projected_events", "Events applied to the read model.", ["partition"])
DUPLICATES = Counter(
    "wallet_projection_duplicates", "Groups that the checkpoint already covered.", ["partition"]
)
GAPS = Counter("wallet_projection_gaps", "Gaps filled from the event store.", ["partition"])
POSITION = Gauge("wallet_projection_position", "The checkpoint: how far the read model is.", ["partition"])
AS_OF = Gauge(
    "wallet_projection_as_of_seconds",
    "The read model shows what was true at this Unix time; the time since then is its lag.",
    ["partition"],
)
STOPPED = Gauge(
    "wallet_projection_stopped", "1 while a poison event keeps the partition still.", ["partition"]
)

_log = logging.getLogger(__name__)

_POISON = (UndecodableEvent, ImpossibleEvent, asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


class Poison(Exception):
    """An event of the log that cannot be applied. Nothing after it may be applied either."""


class UnusableMessage(Exception):
    """A message whose events cannot be applied; the event store may say otherwise."""


class Projector:
    """Keeps one partition's read model up with the log."""

    def __init__(
        self, partition: int, partitions: int, store: Store, log: EventLog, cache: Cache, chunk_max: int
    ) -> None:
        self.partition = partition
        self._partitions = partitions
        self._store = store
        self._log = log
        self._cache = cache
        self._chunk_max = chunk_max
        label = str(partition)
        self._events, self._duplicates, self._gaps = (c.labels(label) for c in (EVENTS, DUPLICATES, GAPS))
        self._position, self._as_of, self._is_stopped = (g.labels(label) for g in (POSITION, AS_OF, STOPPED))

    async def project(self, groups: Sequence[Group]) -> None:
        """Returns once these groups are in the read model and shown, or the partition stands still anyway.

        Raises UnusableMessage, and then nothing of these groups was applied; Poison; or what asyncpg raises.
        """
        while missing := await self._applied(groups):
            groups = await self._resynchronise(missing, groups)

    async def stop(self, reason: str) -> None:
        """Stands still, also after a restart, until someone resumes the partition."""
        _log.error("partition stopped", extra={"partition": self.partition, "cause": reason})
        await self._store.stop(reason)
        self._note(reason)

    async def check(self) -> None:
        """Looks at the checkpoint. Raises Poison while the partition stands still."""
        position, stopped = await self._store.progress()
        self._position.set(position)
        self._note(stopped)
        if stopped is not None:
            raise Poison(stopped)

    async def _applied(self, groups: Sequence[Group]) -> Gap | OtherLog | None:
        try:
            return await self._apply(groups)
        except _POISON as error:
            raise UnusableMessage(f"{type(error).__name__}: {error}") from error

    async def _apply(self, groups: Sequence[Group]) -> Gap | OtherLog | None:
        begin_ns = time.time_ns()
        async with self._store.transaction() as transaction:
            self._note(transaction.stopped)
            if transaction.stopped is not None:
                return None  # when it goes on, the event store has what is passed by here
            following = follow(transaction.checkpoint, groups)
            if not isinstance(following, Stretch):
                return following
            self._duplicates.inc(sum(group.head <= transaction.position for group in groups if group.events))
            # Also what is skipped is shown: whoever applied it may have died before it was.
            accounts = {event.stream_id for group in groups for event in group.events}
            self._refuse_those_of_other_partitions(accounts)
            fold = await self._write(transaction, following, accounts)
        await self._show(fold, transaction)
        self._measure(following)
        trace_step("project", (event.transaction_id for event in following.events), begin_ns)
        return None

    async def _resynchronise(self, missing: Gap | OtherLog, groups: Sequence[Group]) -> Sequence[Group]:
        """Reads what is missing from the event store; returns the groups that are of the same log."""
        checkpoint = await self._store.checkpoint()
        state = await self._log.state(checkpoint.epoch)
        if checkpoint.position > state.shared:
            raise await self._diverged(checkpoint, state)
        if checkpoint.epoch != state.epoch:
            await self._adopt(checkpoint, state)
        checkpoint = Checkpoint(checkpoint.position, state.epoch)
        same_log = [group for group in groups if continues(checkpoint, group)]
        if isinstance(missing, OtherLog) or len(same_log) < len(groups):
            missing = Gap(checkpoint.position, state.head)  # what the dropped groups held is read from there
        await self._fill(state, missing)
        return same_log

    async def _adopt(self, checkpoint: Checkpoint, state: LogState) -> None:
        """The log began an epoch after the checkpoint: all that the model has is in the log still."""
        _log.warning("another epoch", extra=self._where(checkpoint, state))
        await self._store.adopt(state.epoch, state.shared)

    async def _diverged(self, checkpoint: Checkpoint, state: LogState) -> Poison:
        """Stops the partition for good: what the model shows is not in the log."""
        _log.error("the log lost events that are in the read model", extra=self._where(checkpoint, state))
        reason = f"{diverged(self.partition, checkpoint, state)}; rebuild the read model"
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
            raise UnusableMessage(f"a group follows position {gap.until}, which the log has not reached")
        if gap.until <= gap.after:
            return
        _log.warning("gap", extra={"partition": self.partition, "after": gap.after, "until": gap.until})
        self._gaps.inc()
        try:
            async for reached, events in self._log.chunks(state.epoch, gap.after, gap.until, self._chunk_max):
                mine = [event for event in events if self._is_mine(event.stream_id)]
                if await self._apply([Group(gap.after, reached, mine, state.epoch)]):
                    return
        except AnotherEpoch as error:  # the groups are followed once more, and meet it
            _log.warning("gap not filled", extra={"partition": self.partition, "cause": repr(error)})
        except _POISON as error:
            raise Poison(f"{type(error).__name__}: {error}") from error

    async def _write(self, transaction: Transaction, stretch: Stretch, accounts: set[str]) -> Fold:
        fold = await transaction.fold(accounts)
        fold.play(stretch.events)
        if stretch.head > transaction.position:
            await transaction.write(fold, stretch.head)
        self._events.inc(len(stretch.events))
        return fold

    def _measure(self, shown: Stretch) -> None:
        now = as_of = time.time()  # a group without events says: until now, nothing has happened
        if shown.events:
            as_of = shown.events[-1].at.timestamp()
            VISIBLE.observe(max(now - as_of, 0))
        self._as_of.set(as_of)

    async def _show(self, fold: Fold, transaction: Transaction) -> None:
        self._position.set(transaction.position)
        await self._cache.show(fold.wallets, transaction.checkpoint)

    def _refuse_those_of_other_partitions(self, accounts: Collection[str]) -> None:
        for account in accounts:
            if not self._is_mine(account):
                raise ImpossibleEvent(f"{account} belongs to another partition")

    def _is_mine(self, account: str) -> bool:
        return partition_of(account, self._partitions) == self.partition

    def _note(self, stopped: str | None) -> None:
        self._is_stopped.set(stopped is not None)


def diverged(partition: int, checkpoint: Checkpoint, state: LogState) -> str:
    """Says what a read model has that the log does not have."""
    return (
        f"the read model of partition {partition} is at position {checkpoint.position}, but only its first"
        f" {state.shared} events are in the log, which ends at {state.head}: the event store was restored to an older"
        " state"
    )
