"""The worker's one use case: a batch of steps becomes durable, then shows in the cache, then is answered."""

import asyncio
import logging
import time
from collections import Counter as Tally
from collections.abc import Sequence

import asyncpg
from prometheus_client import Counter

from wallet_kernel.batcher import Batcher, Pending
from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.runtime.metrics import TRANSACTION
from wallet_kernel.runtime.traces import trace_step
from wallet_saga.protocol import NotDone, Outcome, Step, TurnedAway, Unknown, WalletState
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.keys import keys_of
from wallet_saga.worker.steps import decide
from wallet_saga.worker.store import CommitUnknown, NotTheOnlyWriter, Store

STEPS = Counter("wallet_saga_steps", "Steps by what came of them.", ["step", "outcome"])

_log = logging.getLogger(__name__)

_ROWS_AT_FAULT = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
_NOT_COMMITTED = (*DATABASE_ERRORS, NotTheOnlyWriter)

QUEUE_TIMEOUT_S = 1.5
"""A step that no batch took by then is answered as not done. Its orchestrator waits a little longer for the answer
(`WALLET_STEP_TIMEOUT_S`), so no step is done after its request has ended."""

NOT_DONE = NotDone()
TURNED_AWAY = TurnedAway()
UNKNOWN = Unknown()


class ShardWriter:
    """Applies steps to one shard, batch after batch, never two at a time."""

    def __init__(self, store: Store, cache: BalanceCache, batch_max: int, queue_max: int) -> None:
        self._store = store
        self._cache = cache
        self._batcher: Batcher[Step, Outcome] = Batcher(
            "steps", self._run, batch_max=batch_max, queue_max=queue_max
        )
        self._batch: asyncio.Future[None] | None = None

    async def perform(self, steps: Sequence[Step]) -> list[Outcome]:
        """The outcomes of these steps, each durable, NotDone or Unknown; TurnedAway for those that find no room.

        The queue takes the first steps as far as it has room, so that a large batch always gets on.
        """
        futures = self._batcher.submit_all(steps[: self._batcher.room])
        withdrawal = asyncio.get_running_loop().call_later(QUEUE_TIMEOUT_S, _withdraw, futures)
        try:
            await asyncio.gather(*futures, return_exceptions=True)
        finally:
            withdrawal.cancel()
        outcomes = [NOT_DONE if future.cancelled() else future.result() for future in futures]
        return outcomes + [TURNED_AWAY] * (len(steps) - len(futures))

    async def drain(self) -> None:
        """Waits for what was submitted."""
        await self._batcher.drain()

    async def settled(self) -> None:
        """Returns once no reader of the cache can see less than what is committed by now.

        A look at the database that is told to a client needs this, for the client may read a balance next.
        """
        await self._cache.outlive_predecessor()
        if self._batch is not None:
            await asyncio.shield(self._batch)

    async def _run(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        self._batch = asyncio.get_running_loop().create_future()
        try:
            return await self._apply(steps)
        finally:
            self._batch.set_result(None)

    async def _apply(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        begin_ns = time.time_ns()
        lease = self._cache.lease()  # runs from before the database is read
        try:
            with TRANSACTION.time():
                outcomes, shown = await self._transact(steps)
        except CommitUnknown:
            _log.exception("a batch may not have been committed", extra={"steps": len(steps)})
            await self._cache.sit_out()  # if it was committed after all, the log tells so from now on
            return [UNKNOWN] * len(steps)
        except _NOT_COMMITTED as error:
            if isinstance(error, _ROWS_AT_FAULT):
                return await self._halves(steps)
            _log.exception("a batch was not committed", extra={"steps": len(steps)})
            return [NOT_DONE] * len(steps)
        except Exception:  # noqa: BLE001 - a step that breaks a decision was rolled back with its batch
            return await self._halves(steps)
        await self._cache.show(shown, lease)
        _count(steps, outcomes)
        trace_step("steps at the shard", (getattr(step, "transfer_id", None) for step in steps), begin_ns)
        return outcomes

    async def _transact(self, steps: Sequence[Step]) -> tuple[list[Outcome], list[WalletState]]:
        keys = keys_of(steps)
        async with self._store.books(keys) as books:
            outcomes = [decide(books, step) for step in steps]
        shown = [books.wallets[account].state() for account in keys.shown if account in books.wallets]
        return outcomes, shown

    async def _halves(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        """A step that cannot be decided or written must not fail the others: halves the batch until it is alone."""
        _log.exception("a batch was rolled back", extra={"steps": len(steps)})
        if len(steps) == 1:
            return [NOT_DONE]
        middle = len(steps) // 2
        return [*await self._apply(steps[:middle]), *await self._apply(steps[middle:])]


def _withdraw(futures: Sequence[Pending[Outcome]]) -> None:
    for future in futures:
        if not future.is_taken:
            future.cancel()


def _count(steps: Sequence[Step], outcomes: Sequence[Outcome]) -> None:
    for (step, outcome), count in Tally(zip(map(type, steps), map(type, outcomes), strict=True)).items():
        STEPS.labels(step.__name__, outcome.__name__).inc(count)
