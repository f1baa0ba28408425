"""A load that goes on while something is done to the stack, and the proof that nothing came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from tests.blackbox.api import AsyncWalletApi
from tests.blackbox.load import Book, Verdict, keep_placing, random_orders, settle, with_client
from tests.blackbox.proof import violations
from tests.blackbox.stack import Stack

CLIENTS = 30
READY_WITHIN_S = 60.0
SETTLED_WITHIN_S = 30.0
WITHIN_S = 120.0
Disturb = Callable[[], Awaitable[None]]


async def kill_and_recover(stack: Stack, names: list[str], sig: int) -> None:
    """Signal these components, all at once, and wait until the stack is whole again."""
    for name in names:
        stack.kill(name, sig)
    await asyncio.to_thread(stack.wait_ready, READY_WITHIN_S)


def survives(stack: Stack, opened: dict[str, Decimal], disturb: Disturb, seed: int) -> Book:
    """Disturb the stack under load; afterwards every transfer is decided, in bounded time, as it was answered."""

    async def scene(api: AsyncWalletApi) -> Book:
        book, stop = Book(), asyncio.Event()
        load = asyncio.create_task(keep_placing(api, book, random_orders(list(opened), seed), stop, CLIENTS))
        try:
            await disturb()
        finally:
            stop.set()
            await load
        before = len(book.of(Verdict.ACKNOWLEDGED))
        assert before > 0, "the load must have had an effect before it can have lost one"
        await settle(api, book, SETTLED_WITHIN_S)
        assert await violations(api, opened, book) == []
        return book

    return with_client(stack.base_url, scene, WITHIN_S)
