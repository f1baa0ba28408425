"""Background tasks end when their service does."""

import asyncio
from contextlib import suppress

import pytest

from wallet_kernel.tasks import background, cancel_and_wait

pytestmark = pytest.mark.anyio


async def test_task_ends_although_it_swallowed_a_cancellation() -> None:
    """A task that swallows a cancellation is cancelled again."""

    async def loses_the_first() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(loses_the_first())
    await asyncio.sleep(0)
    ending = asyncio.create_task(cancel_and_wait(task))
    await asyncio.wait({ending}, timeout=10)
    assert task.cancelled()


async def test_exception_of_a_task_is_raised() -> None:
    """The exception of a failed task is raised."""

    async def failing() -> None:
        raise OSError("broken")

    failed, other = asyncio.create_task(failing()), asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="broken"):
        await cancel_and_wait(failed, other)


async def test_background_work_ends_with_the_body() -> None:
    """Background work runs while the body runs and has ended after it, also if the body fails."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def body() -> None:
        async with background(work()):
            await begun.wait()
            raise OSError("of the body")

    with pytest.raises(OSError, match="of the body"):
        await body()
    assert ended.is_set()
