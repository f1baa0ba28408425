"""Natural batching (group commit): items that arrive while a batch is in flight form the next batch.

An idle batcher runs a single item immediately, without a timer. An item whose result no client waits for may wait for
other items. The queue, the batches and their number are bounded.

A batch has costs that do not depend on its size, such as a commit. So a busy service pauses before the next batch for
more items (`pause_after`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from prometheus_client import Gauge, Histogram

from wallet_kernel.bisection import ItemAtFault, bisected

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_SIZE = Histogram(
    "wallet_batch_size",
    "Items in a batch.",
    ["batcher"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
)
QUEUE_DEPTH = Gauge("wallet_queue_depth", "Items waiting for the next batch.", ["batcher"])
QUEUE_MAX = Gauge("wallet_queue_max", "Items that may wait for the next batch.", ["batcher"])

LATER_S = 0.05
"""How long an item of `submit_later` may wait for a batch with other items. A client that sends one request after the
other sends the next one earlier."""

PAUSE_PER_ITEM_S = 0.00015
PAUSE_MAX_S = 0.006
"""The limit of the pause if clients wait for the items."""


def pause_after(items: int, max_s: float) -> float:
    """Returns the seconds between a batch of so many items and the next one. They grow with the load.

    uvloop rounds timers to whole milliseconds, so a lone client's batches of up to three items cause no pause.
    """
    return min(items * PAUSE_PER_ITEM_S, max_s)


class QueueFull(Exception):
    """The queue is full; nothing was done."""


class Pending(asyncio.Future[Result]):
    """The future result of an item. If it is cancelled while no batch has taken the item, the item is never run."""

    is_taken = False
    """Whether a batch has taken the item. Then cancelling cannot prevent the item's effect. It is False again while the
    item waits for another attempt, because its batch was rolled back."""


Entry = tuple[Item, Pending[Result]]
"""An item and its future result."""

_NOT_DONE = RuntimeError("the item cannot be done")


class Batcher(Generic[Item, Result]):
    """Collects items and runs them in batches. The number of concurrent batches is bounded.

    `run` gets the items in order of arrival and returns one result for each item. If a result is an exception, only
    that item's caller gets it. If `run` raises, every caller of the batch gets the exception. If a caller is cancelled
    while its item is in the queue, the batcher drops the item, because the caller would not learn of its effect. An
    item that a batch took is run. `prepare` runs before `run` takes the items and must have no effect. After a batch
    that is not full, its worker pauses for `pause_after` with the limit `pause_max_s`, so that more items can arrive.

    If `run` raises ItemAtFault, the batch was rolled back, and the batcher bisects it. The caller of an item that fails
    alone gets `not_done`. Until its part begins, an item counts as queued again.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result | BaseException]]],
        *,
        batch_max: int,
        queue_max: int,
        in_flight_max: int = 1,
        prepare: Callable[[Sequence[Item]], Awaitable[None]] | None = None,
        not_done: Result | BaseException = _NOT_DONE,
        pause_max_s: float = 0.0,
    ) -> None:
        self._run = run
        self._not_done = not_done
        self._prepare = prepare
        self._pause_max_s = pause_max_s
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._idle = in_flight_max
        self._queue: deque[Entry[Item, Result]] = deque()
        self._is_due = False
        self._alarm: asyncio.TimerHandle | None = None
        self._workers: set[asyncio.Task[None]] = set()
        self._size = BATCH_SIZE.labels(name)
        QUEUE_DEPTH.labels(name).set_function(lambda: len(self._queue))
        QUEUE_MAX.labels(name).set(queue_max)

    @property
    def room(self) -> int:
        """The number of items that the queue can accept now."""
        return self._queue_max - len(self._queue)

    def submit(self, item: Item) -> Pending[Result]:
        """Queues an item. Raises QueueFull if the queue is full; then the batcher accepted nothing."""
        future = self._enqueue(item)
        self._begin()
        return future

    def submit_all(self, items: Sequence[Item]) -> list[Pending[Result]]:
        """Queues all of these items. Raises QueueFull if they do not all fit; then the batcher accepted nothing."""
        if len(items) > self.room:
            raise QueueFull(QueueFull.__doc__)
        futures = [self._enqueue(item) for item in items]
        if items:
            self._begin()
        return futures

    def submit_later(self, item: Item) -> Pending[Result]:
        """Queues an item for the next batch. Raises QueueFull as `submit` does.

        A batch begins for such items alone if they fill it, or if one of them has waited for `LATER_S` seconds. The
        order of arrival holds for them too: an item that is submitted afterwards is never run before them.
        """
        future = self._enqueue(item)
        if len(self._queue) >= min(self._batch_max, self._queue_max):
            self._begin()
        elif self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(LATER_S, self._overdue)
        return future

    async def drain(self) -> None:
        """Waits until the batcher has run every item submitted so far."""
        if self._queue:
            self._begin()
        while self._workers:
            await asyncio.gather(*self._workers)

    def _enqueue(self, item: Item) -> Pending[Result]:
        if len(self._queue) >= self._queue_max:
            raise QueueFull(QueueFull.__doc__)
        future: Pending[Result] = Pending(loop=asyncio.get_running_loop())
        self._queue.append((item, future))
        return future

    def _overdue(self) -> None:
        self._alarm = None
        if self._queue:
            self._begin()

    def _begin(self) -> None:
        """Makes the queued items due. Starts a worker for them unless enough workers run."""
        self._is_due = True
        if self._idle:
            self._start_worker()

    def _start_worker(self) -> None:
        self._idle -= 1
        worker = asyncio.create_task(self._work())
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        try:
            while self._is_due:
                batch = self._next_batch()
                await bisected(batch, self._run_part, self._give_up)
                # Callers that have got their result may submit their next item for the next batch.
                is_full = len(batch) == self._batch_max
                await asyncio.sleep(0 if is_full else pause_after(len(batch), self._pause_max_s))
        finally:
            self._idle += 1

    def _next_batch(self) -> list[Entry[Item, Result]]:
        count = min(len(self._queue), self._batch_max)
        batch = [self._queue.popleft() for _ in range(count)]
        self._is_due = bool(self._queue)
        return batch

    async def _run_part(self, part: Sequence[Entry[Item, Result]]) -> None:
        """Runs those items of a batch, or of a part of it, whose callers still wait. Raises ItemAtFault."""
        if taken := await self._taken(part):
            await self._run_batch(taken)

    def _give_up(self, part: Sequence[Entry[Item, Result]]) -> None:
        for _, future in part:
            _settle(future, self._not_done)

    async def _taken(self, part: Sequence[Entry[Item, Result]]) -> list[Entry[Item, Result]]:
        """Prepares the items that still wait, and takes those that still wait afterwards."""
        waiting = _waiting(part)
        if self._prepare is not None and waiting:
            try:
                await self._prepare([item for item, _ in waiting])
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 -- every caller gets it
                lost = RuntimeError("the batch could not be prepared; no item was run")
                lost.__cause__ = error
                for _, future in waiting:
                    _settle(future, lost)
        taken = _waiting(part)
        for _, future in taken:
            future.is_taken = True
        return taken

    async def _run_batch(self, batch: list[Entry[Item, Result]]) -> None:
        self._size.observe(len(batch))
        results: Sequence[Result | BaseException]
        try:
            results = await self._run([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"a batch of {len(batch)} items has {len(results)} results")
        except ItemAtFault:
            for _, future in batch:
                future.is_taken = False
            raise
        except asyncio.CancelledError as error:
            # Without an answer, callers would wait without end if the worker, or an await inside `run`, is cancelled.
            lost = RuntimeError("the batch was cancelled while it ran; its effect is unknown")
            lost.__cause__ = error
            results = [lost] * len(batch)
        except Exception as error:  # noqa: BLE001 - every caller of the batch gets the error
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            _settle(future, result)


def _waiting(batch: Sequence[Entry[Item, Result]]) -> list[Entry[Item, Result]]:
    """Returns the items whose callers still wait."""
    return [entry for entry in batch if not entry[1].done()]


def _settle(future: asyncio.Future[Result], result: Result | BaseException) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
