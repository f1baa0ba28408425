"""Loads the stack while a fault is injected, and proves that every transfer ends as its answer says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal

from tests.blackbox.api import AsyncWalletApi
from tests.blackbox.load import Book, Order, Verdict, keep_placing, random_orders, settle, with_client
from tests.blackbox.names import FAR, NEAR, new_account
from tests.blackbox.proof import come_to_rest, violations
from tests.blackbox.stack import Stack

CLIENTS = 30
READY_WITHIN_S = 60.0
SETTLED_WITHIN_S = 30.0
WITHIN_S = 120.0
Disturb = Callable[[], Awaitable[None]]


async def kill_and_recover(stack: Stack, names: list[str], sig: int) -> None:
    """Send a signal to all these components at the same time, and wait until the stack is ready again."""
    for name in names:
        stack.kill(name, sig)
    await asyncio.to_thread(stack.wait_ready, READY_WITHIN_S)


def survives(stack: Stack, opened: dict[str, Decimal], disturb: Disturb, seed: int) -> None:
    """Disturb the stack under load, then check that every transfer ends without help, as its answer says.

    All wallets have enough money. So a transfer between them must succeed in the end, and a transfer to an unknown
    account must be refused.
    """
    strangers = [new_account(slots) for slots in (NEAR, FAR)]

    async def scene(api: AsyncWalletApi) -> None:
        book = await _disturbed(api, random_orders(list(opened), strangers, seed), disturb)
        await come_to_rest(api, opened, SETTLED_WITHIN_S)
        await settle(api, book, SETTLED_WITHIN_S)
        assert await violations(api, opened, book) == []
        refused = [record.order.payee in strangers for record in book.of(Verdict.REFUSED)]
        assert all(refused), "a transfer was refused because of a timeout"
        assert [record for record in book.of(Verdict.ACKNOWLEDGED) if record.order.payee in strangers] == []

    with_client(stack.base_url, scene, WITHIN_S)


async def _disturbed(api: AsyncWalletApi, orders: Iterator[Order], disturb: Disturb) -> Book:
    """Disturb the stack under load after a transfer has succeeded. Without one, nothing could be lost."""
    book, stop = Book(), asyncio.Event()
    load = asyncio.create_task(keep_placing(api, book, orders, stop, CLIENTS))
    try:
        while not book.of(Verdict.ACKNOWLEDGED):  # noqa: ASYNC110 -- the clients fill the book
            await asyncio.sleep(0.05)
        await disturb()
    finally:
        stop.set()
        await load
    return book
