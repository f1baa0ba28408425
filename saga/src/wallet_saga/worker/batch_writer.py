"""Applies batches of commands to the shard: decides and commits a batch, shows it in the cache, then answers."""

import asyncio
import logging
from collections import Counter as Tally
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic, time_ns
from typing import NoReturn

from prometheus_client import Counter, Gauge

from wallet_kernel.batcher import Batcher, Pending, QueueFull
from wallet_kernel.bisection import ItemAtFault
from wallet_kernel.database import DATABASE_ERRORS, CommitUnknown, is_of_a_row
from wallet_kernel.outages import Outage
from wallet_kernel.runtime.metrics import TRANSACTION
from wallet_kernel.runtime.readiness import NotReady, Standby
from wallet_kernel.runtime.traces import trace_step
from wallet_kernel.tasks import background
from wallet_saga.domain.batch import Batch, BatchKeys
from wallet_saga.domain.commands import (
    Command,
    Done,
    Flush,
    NotDone,
    Outcome,
    TurnedAway,
    Unknown,
    command_name,
)
from wallet_saga.domain.decisions import decide
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.store import Store

STEPS = Counter("wallet_saga_steps", "Steps by outcome.", ["step", "outcome"])
ACTIVE = Gauge("wallet_worker_active", "1 in the worker that is its shard's writer, 0 in a standby.")

SAYS_SOMETHING_S = 1.0
"""After this time without a batch, the writer uses its session at its next check (every `takeover_s`), because Postgres
ends a session that is idle for too long."""

_log = logging.getLogger(__name__)

QUEUE_TIMEOUT_S = 1.5
"""A command that waits longer than this for a batch is answered as NotDone and dropped. The orchestrator waits longer
for the answer (`WALLET_STEP_TIMEOUT_S`), so the worker begins no command whose request has timed out."""

NOT_DONE = NotDone()
TURNED_AWAY = TurnedAway()
UNKNOWN = Unknown()


class NotConfirmed(Exception):
    """This worker could not confirm that it is still its shard's writer."""


class BatchWriter:
    """Applies commands to one shard, one batch at a time."""

    def __init__(self, store: Store, cache: BalanceCache, batch_max: int, queue_max: int) -> None:
        self._store = store
        self._cache = cache
        self._batcher: Batcher[Command, Outcome] = Batcher(
            "steps", self._apply, batch_max=batch_max, queue_max=queue_max, not_done=NOT_DONE
        )
        self._outage = Outage(_log, "shard")
        self._takeovers = 0
        self._written_at = 0.0
        self._obstacle: NotReady | None = NotReady("This worker has not committed a batch yet.")

    async def perform(self, commands: Sequence[Command]) -> list[Outcome]:
        """Performs these commands and returns their outcomes, in the order of the commands.

        An outcome is durable unless it is NotDone, TurnedAway or Unknown. If the queue has no room for all commands, it
        takes the first ones and answers the others with TurnedAway, so that a large request always makes progress.
        Raises Standby if another worker is the writer; then nothing was done.
        """
        self._require_writer()
        outcomes = await self._perform(commands)
        if all(outcome is NOT_DONE for outcome in outcomes):
            self._require_writer()
        return outcomes

    async def confirm(self) -> None:
        """Returns once the cache shows nothing older than the commits before this call.

        Call it before you return data from the database to a client, because the client may read a balance next. It
        commits an empty batch. This commit proves that no other worker has written since this one became the writer.
        Raises QueueFull, Standby or NotConfirmed.
        """
        [outcome] = await self.perform([Flush()])
        if isinstance(outcome, TurnedAway):
            raise QueueFull(QueueFull.__doc__)
        if not isinstance(outcome, Done):
            raise NotConfirmed(str(self._obstacle))
        await self._cache.wait_for_inherited_leases()

    async def check(self) -> None:
        """Checks readiness. Raises Standby or NotReady unless the last batch was committed."""
        if self._obstacle is not None:
            raise type(self._obstacle)(
                str(self._obstacle)
            )  # a new one, because each raise extends a traceback

    @asynccontextmanager
    async def running(self, takeover_s: float) -> AsyncIterator[None]:
        """Makes this worker the shard's writer when no other worker is, and keeps it the writer while it is idle.

        A standby tries to take over every `takeover_s` seconds. On exit, waits for the submitted commands.
        """
        try:
            async with background(self._keep(takeover_s)):
                yield
        finally:
            await self.drain()

    async def drain(self) -> None:
        """Waits for the submitted commands."""
        await self._batcher.drain()

    async def _keep(self, takeover_s: float) -> NoReturn:
        while True:
            if monotonic() - self._written_at > SAYS_SOMETHING_S:
                try:
                    await self._perform([Flush()])
                except Exception as error:  # noqa: BLE001 -- the next attempt may succeed
                    _log.warning("empty batch failed", extra={"cause": repr(error)})
            await asyncio.sleep(takeover_s)

    def _require_writer(self) -> None:
        if self._store.is_standby:
            raise Standby("Another worker is the writer of this shard.")

    async def _perform(self, commands: Sequence[Command]) -> list[Outcome]:
        futures = self._batcher.submit_all(commands[: self._batcher.room])
        withdrawal = asyncio.get_running_loop().call_later(QUEUE_TIMEOUT_S, _withdraw, futures)
        try:
            await asyncio.gather(*futures, return_exceptions=True)
        finally:
            withdrawal.cancel()
        outcomes = [NOT_DONE if future.cancelled() else future.result() for future in futures]
        return outcomes + [TURNED_AWAY] * (len(commands) - len(futures))

    async def _apply(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        begin_ns = time_ns()
        try:
            await self._store.connect()
            # Begins after a takeover, to end after the predecessor's leases, but before the database is read.
            lease = self._cache.lease()
            with TRANSACTION.time():
                applied = await self._store.apply(BatchKeys.of(commands), partial(self._decide, commands))
        except Standby as error:
            self._failed(error)
            return [NOT_DONE] * len(commands)
        except CommitUnknown as error:
            self._failed(error)
            _log.exception("a batch may not have been committed", extra={"steps": len(commands)})
            # If the batch was committed, Redis may still show older balances: lookups must wait for these leases.
            self._cache.inherit()
            return [UNKNOWN] * len(commands)
        except ItemAtFault:
            _log.exception("a batch was rolled back", extra={"steps": len(commands)})
            raise
        except Exception as error:  # nothing was committed
            if is_of_a_row(error):
                raise ItemAtFault(repr(error)) from error
            self._failed(error)
            if isinstance(error, DATABASE_ERRORS):
                self._outage.failed(error, len(commands))
            else:
                _log.exception("a batch was not committed", extra={"steps": len(commands)})
            return [NOT_DONE] * len(commands)
        self._outage.ended()
        self._obstacle, self._written_at = None, monotonic()
        ACTIVE.set(1)
        await self._cache.show(applied.read, lease, applied.posted)
        _count(commands, applied.outcomes)
        transactions = (getattr(command, "transaction_id", None) for command in commands)
        trace_step("steps at the shard", transactions, begin_ns)
        return applied.outcomes

    def _failed(self, error: Exception) -> None:
        is_standby = isinstance(error, Standby)
        self._obstacle = Standby(str(error)) if is_standby else NotReady(f"{type(error).__name__}: {error}")
        ACTIVE.set(0)

    def _decide(self, commands: Sequence[Command], batch: Batch) -> list[Outcome]:
        self._inherit_from_predecessor()
        try:
            return [decide(batch, command) for command in commands]
        except Exception as error:
            raise ItemAtFault(repr(error)) from error

    def _inherit_from_predecessor(self) -> None:
        """After a takeover, counts the predecessor's leases as granted now, because it may have written until then."""
        if self._takeovers != self._store.takeovers:
            self._takeovers = self._store.takeovers
            self._cache.inherit()


def _withdraw(futures: Sequence[Pending[Outcome]]) -> None:
    for future in futures:
        if not future.is_taken:
            future.cancel()


def _count(commands: Sequence[Command], outcomes: Sequence[Outcome]) -> None:
    kinds = Tally(zip(map(type, commands), map(type, outcomes), strict=True))
    for (command, outcome), count in kinds.items():
        STEPS.labels(command_name(command), outcome.__name__).inc(count)
