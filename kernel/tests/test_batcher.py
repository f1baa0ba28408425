"""The Batcher: natural batching, bounds, and one result for each item in every case."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from wallet_kernel.batcher import PAUSE_MAX_S, Batcher, QueueFull, pause_after
from wallet_kernel.bisection import ItemAtFault

pytestmark = pytest.mark.anyio


class Store:
    """A fake batch runner: records the batches, and holds each until the test releases it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.running = 0
        self.running_max = 0
        self.gate = asyncio.Event()

    async def run(self, items: Sequence[int]) -> list[int | BaseException]:
        """Returns ten times each item."""
        self.batches.append(list(items))
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        await self.gate.wait()
        self.running -= 1
        return [item * 10 for item in items]


def batcher_of(
    run: Callable[[Sequence[int]], Awaitable[Sequence[int | BaseException]]],
    *,
    batch_max: int = 100,
    queue_max: int = 1000,
    in_flight_max: int = 1,
    pause_max_s: float = 0.0,
) -> Batcher[int, int]:
    """Returns a batcher with the name `test`."""
    return Batcher(
        "test",
        run,
        batch_max=batch_max,
        queue_max=queue_max,
        in_flight_max=in_flight_max,
        pause_max_s=pause_max_s,
    )


async def turns(count: int = 5) -> None:
    """Lets every ready task run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_lone_item_runs_without_delay() -> None:
    """An idle batcher runs a single item immediately, without a timer."""
    store = Store()
    future = batcher_of(store.run).submit(1)
    await turns(1)
    assert store.batches == [[1]]
    store.gate.set()
    assert await future == 10


async def test_items_that_arrive_during_a_batch_form_the_next_one() -> None:
    """Items that arrive while a batch is in flight form the next batch, in order of arrival."""
    store = Store()
    batcher = batcher_of(store.run)
    futures = [batcher.submit(1)]
    await turns()
    futures += [batcher.submit(item) for item in (2, 3, 4)]
    await turns()
    assert store.batches == [[1]]
    store.gate.set()
    assert await asyncio.gather(*futures) == [10, 20, 30, 40]
    assert store.batches == [[1], [2, 3, 4]]


async def test_items_of_one_loop_turn_form_one_batch() -> None:
    """Items submitted within one turn of the loop form one batch, without waiting."""
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run, in_flight_max=4)
    await asyncio.gather(*[batcher.submit(item) for item in range(50)])
    assert store.batches == [list(range(50))]


async def test_caller_submits_its_next_item_before_the_next_batch() -> None:
    """A caller that has got its result can submit another item for the next batch, although other items wait."""
    store = Store()
    batcher = batcher_of(store.run)

    async def submit_twice(item: int) -> None:
        await batcher.submit(await batcher.submit(item))

    first = asyncio.create_task(submit_twice(1))
    await turns()
    waiting = batcher.submit(2)
    store.gate.set()
    await asyncio.gather(first, waiting)
    assert store.batches == [[1], [2, 10]]


async def test_batch_is_bounded() -> None:
    """No batch has more than batch_max items; the other items follow in order."""
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run, batch_max=4)
    await asyncio.gather(*[batcher.submit(item) for item in range(10)])
    assert store.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_items_that_arrive_during_the_pause_form_the_next_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a batch, the batcher pauses, even if items wait."""
    monkeypatch.setattr("wallet_kernel.batcher.PAUSE_PER_ITEM_S", 0.1)
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run, pause_max_s=1.0)
    await asyncio.gather(batcher.submit(1), batcher.submit(2))
    futures = list[Awaitable[int]]()
    for item in (3, 4, 5):
        futures.append(batcher.submit(item))
        await turns()
    assert store.batches == [[1, 2]]
    await asyncio.gather(*futures)
    assert store.batches == [[1, 2], [3, 4, 5]]


async def test_no_pause_follows_a_full_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a batch was full, more items may wait than one batch can take, so the next one begins at once."""
    monkeypatch.setattr("wallet_kernel.batcher.PAUSE_PER_ITEM_S", 60.0)
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run, batch_max=2, pause_max_s=60.0)
    async with asyncio.timeout(10):
        await asyncio.gather(*[batcher.submit(item) for item in range(5)])
    assert store.batches == [[0, 1], [2, 3], [4]]


def test_pause_grows_with_the_batch_up_to_a_limit() -> None:
    """A larger batch causes a longer pause, and no pause exceeds the limit."""
    assert 0 < pause_after(1, PAUSE_MAX_S) < pause_after(20, PAUSE_MAX_S) < PAUSE_MAX_S
    assert pause_after(1000, PAUSE_MAX_S) == PAUSE_MAX_S
    assert pause_after(1000, 0.0) == 0.0


def test_lone_client_waits_for_no_pause_in_uvloop() -> None:
    """A batch of one to three items causes a pause that uvloop rounds to zero, so the next item runs immediately."""

    async def turns_until_the_second_batch() -> int:
        store = Store()
        store.gate.set()
        batcher = batcher_of(store.run, pause_max_s=PAUSE_MAX_S)
        await asyncio.gather(*[batcher.submit(item) for item in range(3)])
        second, count = batcher.submit(4), 0
        while not second.done():
            await asyncio.sleep(0)
            count += 1
        return count

    assert uvloop.run(turns_until_the_second_batch()) < 10


async def test_full_queue_refuses_and_does_nothing() -> None:
    """If the queue is full, submit raises QueueFull and the item is never run; the queued items are run."""
    store = Store()
    batcher = batcher_of(store.run, queue_max=3)
    accepted = [batcher.submit(0)]
    await turns()
    accepted += [batcher.submit(item) for item in (1, 2, 3)]
    with pytest.raises(QueueFull, match="nothing was done"):
        batcher.submit(99)
    store.gate.set()
    assert await asyncio.gather(*accepted) == [0, 10, 20, 30]
    assert store.batches == [[0], [1, 2, 3]]
    assert await batcher.submit(4) == 40


async def test_exception_of_one_item_reaches_only_its_caller() -> None:
    """If a result is an exception, only that item's caller gets it."""

    async def run(items: Sequence[int]) -> list[int | BaseException]:
        return [ValueError(item) if item == 2 else item for item in items]

    batcher = batcher_of(run)
    outcomes = await asyncio.gather(*[batcher.submit(item) for item in (1, 2, 3)], return_exceptions=True)
    assert [outcomes[0], outcomes[2]] == [1, 3]
    assert isinstance(outcomes[1], ValueError)


async def test_exception_of_the_batch_reaches_every_caller() -> None:
    """If run raises, every caller of the batch gets the exception, and the next batch runs normally."""
    calls = 0

    async def run(items: Sequence[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("the shard is gone")
        return items

    batcher = batcher_of(run)
    outcomes = await asyncio.gather(*[batcher.submit(item) for item in (1, 2)], return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["the shard is gone"] * 2
    assert await batcher.submit(3) == 3


@pytest.mark.parametrize("wrong", [0, 2, 4])
async def test_wrong_number_of_results_is_an_error_for_every_caller(wrong: int) -> None:
    """If run returns the wrong number of results, every caller gets an error."""

    async def run(_: Sequence[int]) -> Sequence[int]:
        return [7] * wrong

    batcher = batcher_of(run)
    outcomes = await asyncio.gather(*[batcher.submit(item) for item in (1, 2, 3)], return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == [f"a batch of 3 items has {wrong} results"] * 3


async def test_cancelled_item_does_not_run() -> None:
    """An item that is cancelled in the queue is not run, even if no other item waits."""
    store = Store()
    batcher = batcher_of(store.run)
    running = batcher.submit(1)
    await turns()
    withdrawn, patient = batcher.submit(2), batcher.submit(3)
    withdrawn.cancel()
    running.cancel()
    store.gate.set()
    assert await patient == 30
    batcher.submit(4).cancel()
    await batcher.drain()
    assert store.batches == [[1], [3]]


async def test_future_says_whether_its_item_was_taken() -> None:
    """A queued item is not taken; an item of the running batch is."""
    store = Store()
    batcher = batcher_of(store.run)
    running = batcher.submit(1)
    await turns()
    waiting = batcher.submit(2)
    assert (running.is_taken, waiting.is_taken) == (True, False)
    waiting.cancel()
    store.gate.set()
    await batcher.drain()
    assert not waiting.is_taken


async def test_cancelled_batch_raises_to_every_caller() -> None:
    """If run is cancelled, its callers get an unknown outcome, and the batcher continues."""
    inner: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(items: Sequence[int]) -> Sequence[int]:
        if not inner.done():
            await inner
        return items

    batcher = batcher_of(run)
    lost = batcher.submit(1)
    await turns()
    waiting = batcher.submit(2)
    inner.cancel()
    with pytest.raises(RuntimeError, match="its effect is unknown"):
        async with asyncio.timeout(60):
            await lost
    async with asyncio.timeout(60):
        assert await waiting == 2


async def test_drain_waits_for_everything_submitted() -> None:
    """Drain returns only after all running and queued items have been run."""
    store = Store()
    batcher = batcher_of(store.run)
    futures = [batcher.submit(1)]
    await turns()
    futures += [batcher.submit(2), batcher.submit(3)]
    draining = asyncio.create_task(batcher.drain())
    await turns()
    assert not draining.done()
    store.gate.set()
    await draining
    assert store.batches == [[1], [2, 3]]
    assert all(future.done() for future in futures)


async def test_drain_returns_if_the_batcher_is_idle() -> None:
    """Drain of an idle batcher returns immediately, and the batcher can be used afterwards."""
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run)
    async with asyncio.timeout(60):
        await batcher.drain()
    assert await batcher.submit(1) == 10


async def test_item_that_may_wait_joins_the_next_batch() -> None:
    """An item that may wait starts no batch. It runs in the next one, in order of arrival."""
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run)
    waiting = batcher.submit_later(1)
    await turns()
    assert store.batches == []
    assert await batcher.submit(2) == 20
    assert waiting.result() == 10
    assert store.batches == [[1, 2]]


async def test_item_that_may_wait_runs_alone_after_a_short_time() -> None:
    """If no other item arrives, an item that may wait runs alone after LATER_S, also a second time."""
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run)
    for item in (1, 2):
        done, _ = await asyncio.wait([batcher.submit_later(item)], timeout=10)
        assert done
    assert store.batches == [[1], [2]]


async def test_items_that_may_wait_run_if_they_fill_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full batch of items that may wait runs immediately."""
    monkeypatch.setattr("wallet_kernel.batcher.LATER_S", 3600)
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run, batch_max=3)
    waiting = [batcher.submit_later(item) for item in range(4)]
    await turns()
    assert store.batches == [[0, 1, 2], [3]]
    assert await asyncio.gather(*waiting) == [0, 10, 20, 30]


async def test_items_that_may_wait_run_if_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that may wait do not keep the queue full; another one is refused as any other item."""
    monkeypatch.setattr("wallet_kernel.batcher.LATER_S", 3600)
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run, queue_max=2)
    waiting = [batcher.submit_later(item) for item in (1, 2)]
    with pytest.raises(QueueFull):
        batcher.submit_later(3)
    await turns()
    assert batcher.room == 2
    assert await asyncio.gather(*waiting) == [10, 20]


async def test_drain_runs_items_that_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drain runs the items that may wait immediately, so that none is lost when a service stops."""
    monkeypatch.setattr("wallet_kernel.batcher.LATER_S", 3600)
    store = Store()
    store.gate.set()
    batcher = batcher_of(store.run)
    waiting = batcher.submit_later(1)
    await batcher.drain()
    assert waiting.done()
    assert store.batches == [[1]]


@pytest.mark.parametrize("in_flight_max", [1, 3])
async def test_batches_in_flight_are_bounded(in_flight_max: int) -> None:
    """At most in_flight_max batches run at a time; with 1, the store has a single writer."""
    store = Store()
    batcher = batcher_of(store.run, in_flight_max=in_flight_max)
    futures = []
    for item in range(6):
        futures.append(batcher.submit(item))
        await turns()
    assert store.running == in_flight_max
    store.gate.set()
    assert await asyncio.gather(*futures) == [item * 10 for item in range(6)]
    assert store.running_max == in_flight_max


async def test_batcher_exports_batch_sizes_and_queue_depth() -> None:
    """The size of every batch and the depth of the queue are metrics with the batcher's name."""
    store = Store()
    batcher = batcher_of(store.run)
    before = REGISTRY.get_sample_value("wallet_batch_size_sum", {"batcher": "test"}) or 0
    futures = [batcher.submit(1)]
    await turns()
    futures += [batcher.submit(2), batcher.submit(3)]
    assert REGISTRY.get_sample_value("wallet_queue_depth", {"batcher": "test"}) == 2
    store.gate.set()
    await asyncio.gather(*futures)
    assert REGISTRY.get_sample_value("wallet_queue_depth", {"batcher": "test"}) == 0
    assert REGISTRY.get_sample_value("wallet_batch_size_sum", {"batcher": "test"}) == before + 3


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=40),
    batch_max=st.integers(1, 5),
    in_flight_max=st.integers(1, 3),
)
def test_any_arrival_pattern_runs_every_item_once_in_order(
    arrivals: list[tuple[int, bool]], batch_max: int, in_flight_max: int
) -> None:
    """In every arrival pattern each item is run once, in order, and gets its own result. Some items may wait."""

    async def scenario() -> None:
        batches: list[list[int]] = []

        async def run(items: Sequence[int]) -> list[int]:
            batches.append(list(items))
            await turns(len(items) % 3)
            return [item * 10 for item in items]

        batcher = batcher_of(run, batch_max=batch_max, in_flight_max=in_flight_max)
        futures = []
        for item, (pause, may_wait) in enumerate(arrivals):
            futures.append(batcher.submit_later(item) if may_wait else batcher.submit(item))
            await turns(pause)
        await batcher.drain()
        assert await asyncio.gather(*futures) == [item * 10 for item in range(len(arrivals))]
        assert [item for batch in batches for item in batch] == list(range(len(arrivals)))
        assert max(map(len, batches)) <= batch_max

    asyncio.run(scenario())


async def test_item_cancelled_while_its_batch_is_prepared_is_not_run() -> None:
    """An item that is cancelled while its batch is prepared is not run; the others of its batch are."""
    store, prepared = Store(), asyncio.Event()
    store.gate.set()

    async def prepare(items: Sequence[int]) -> None:
        await prepared.wait()

    batcher: Batcher[int, int] = Batcher("test", store.run, batch_max=9, queue_max=9, prepare=prepare)
    gone, stays = batcher.submit_all([1, 2])
    await turns()
    assert not gone.is_taken
    gone.cancel()
    prepared.set()
    assert await stays == 20
    assert store.batches == [[2]]


async def test_failed_preparation_is_raised_to_every_caller() -> None:
    """If the preparation of a batch fails, every caller gets an error, and the next batch runs."""
    store = Store()
    store.gate.set()

    async def prepare(items: Sequence[int]) -> None:
        if 1 in items:
            raise ValueError("no")

    batcher: Batcher[int, int] = Batcher("test", store.run, batch_max=1, queue_max=9, prepare=prepare)
    bad, good = batcher.submit_all([1, 2])
    with pytest.raises(RuntimeError, match="no item was run"):
        await bad
    assert await good == 20


class StoreWithABadItem(Store):
    """Rolls back every batch that contains the item 0. The gate holds batches that are not rolled back."""

    async def run(self, items: Sequence[int]) -> list[int | BaseException]:
        """Returns ten times each item."""
        if 0 in items:
            raise ItemAtFault
        return await super().run(items)


async def test_bad_item_fails_alone() -> None:
    """If an item is at fault, its batch is bisected: the other items get their results, and the bad one `not_done`."""
    store = StoreWithABadItem()
    store.gate.set()
    batcher = Batcher("test", store.run, batch_max=9, queue_max=9, not_done=-1)
    assert await asyncio.gather(*batcher.submit_all([1, 2, 0, 3])) == [10, 20, -1, 30]
    assert store.batches == [[1, 2], [3]]


async def test_item_cancelled_between_the_parts_of_its_batch_is_not_run() -> None:
    """After a rollback, an item is not taken until its part begins. If it is cancelled before, it is not run."""
    store = StoreWithABadItem()
    batcher = Batcher("test", store.run, batch_max=9, queue_max=9, not_done=-1)
    runs, bad, gone, stays = batcher.submit_all([1, 0, 2, 3])
    await turns()
    assert store.batches == [[1]]
    assert [each.is_taken for each in (runs, bad, gone, stays)] == [True, False, False, False]
    gone.cancel()
    store.gate.set()
    assert list(await asyncio.gather(runs, bad, stays)) == [10, -1, 30]
    assert store.batches == [[1], [3]]
