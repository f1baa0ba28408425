"""Deadlines: one timer watches many tasks, and each task is cancelled at its own deadline."""

import asyncio
from time import monotonic
from typing import Any

import pytest

from wallet_kernel.deadlines import Deadlines, Watched

pytestmark = pytest.mark.anyio


async def overdue(deadlines: Deadlines) -> float:
    """Waits until the deadline and returns the seconds that this took."""
    begin = monotonic()
    with pytest.raises(TimeoutError):
        async with deadlines.begin():
            await asyncio.sleep(60)
    return monotonic() - begin


async def test_body_is_cancelled_at_the_deadline() -> None:
    """At the deadline, the body is cancelled and TimeoutError is raised, not earlier. The task can then continue."""
    assert await overdue(Deadlines(0.1)) >= 0.09
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_each_task_is_cancelled_at_its_own_deadline() -> None:
    """Tasks that begin later have later deadlines, also if the timer was set for an earlier task."""
    deadlines = Deadlines(0.3)
    first = asyncio.create_task(overdue(deadlines))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(overdue(deadlines))
    done, _ = await asyncio.wait([first, second], timeout=10)
    assert done == {first, second}
    assert min(first.result(), second.result()) >= 0.29


async def test_tasks_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of bodies that end in time cost one timer, because a timer costs more than a short body."""
    loop = asyncio.get_running_loop()
    set_at: list[float] = []

    def call_at(at: float, *_: object) -> asyncio.TimerHandle:
        set_at.append(at)
        return asyncio.TimerHandle(at, print, (), loop)

    monkeypatch.setattr(loop, "call_at", call_at)
    deadlines = Deadlines(60)
    for _ in range(100):
        async with deadlines.begin():
            await asyncio.sleep(0)
    assert len(set_at) == 1


class Read(dict[Watched, float]):
    """Deadlines that count how many of them are read."""

    count = 0

    def items(self) -> Any:
        """Yields the deadlines in order."""
        for each in super().items():
            self.count += 1
            yield each


class Watching:
    """Has a deadline."""

    has_passed = False

    def passed(self) -> None:
        """Records that the deadline has passed."""
        self.has_passed = True


async def test_sweep_reads_no_deadline_after_the_first_that_has_not_passed() -> None:
    """A sweep reads the deadlines that have passed and one more, however many wait behind them."""
    deadlines, overdue, waiting = Deadlines(60), Watching(), [Watching() for _ in range(1000)]
    deadlines._running = running = Read({overdue: 0.0})
    for each in waiting:
        deadlines.watch(each)
    deadlines._sweep()
    assert running.count == 2
    assert overdue.has_passed
    assert list(running) == waiting


async def test_body_that_ends_in_time_is_not_cancelled() -> None:
    """A body that begins after an earlier one has ended still has its whole time."""
    deadlines = Deadlines(3.0)
    async with deadlines.begin():
        await asyncio.sleep(0)
    await asyncio.sleep(1.5)
    async with deadlines.begin():
        await asyncio.sleep(1.8)


async def test_cancellation_by_others_is_no_timeout() -> None:
    """If other code cancels the task, before the deadline or at the same time, the task is cancelled."""
    deadlines = Deadlines(60)
    early, late = [asyncio.create_task(overdue(deadlines)) for _ in range(2)]
    await asyncio.sleep(0)
    _, deadline_of_late = deadlines._running
    deadline_of_late.passed()
    for task in (early, late):
        task.cancel()
    await asyncio.wait([early, late])
    assert (early.cancelled(), late.cancelled()) == (True, True)


async def test_error_of_the_body_is_raised() -> None:
    """An exception of the body is raised as it is."""
    with pytest.raises(ValueError, match="broken"):
        async with Deadlines(60).begin():
            raise ValueError("broken")


async def test_inner_deadline_leaves_the_outer_one() -> None:
    """Only the body of the deadline that has passed is cancelled, not the code around it."""
    outer, inner = Deadlines(60), Deadlines(0.05)
    async with outer.begin():
        await overdue(inner)
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with inner.begin(), outer.begin():
            await asyncio.sleep(60)
