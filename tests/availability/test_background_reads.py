"""Transfers keep their throughput while many clients read continuously."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from tests.availability.conftest import opened
from tests.blackbox.api import wallet_path
from tests.blackbox.clients import KeptConnection
from tests.blackbox.lab_stack import lab_stack
from tests.blackbox.stack import Stack

READERS = 200
PAYERS = 10
MEASURED_S = 2.0
SHARE_MIN = 0.25
"""Share of the throughput without readers. Without bulkheads, transfers kept less than 0.1."""

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(scope="module")
def saga() -> Iterator[Stack]:
    """Starts a saga with one orchestrator."""
    with lab_stack("saga") as started:
        yield started


async def pay(base_url: str, accounts: Sequence[str], number: int, stop: asyncio.Event) -> int:
    """Runs one client that pays until `stop` is set. Returns the number of its successful transfers."""
    connection, succeeded = KeptConnection(base_url), 0
    for turn in itertools.count(1):
        if stop.is_set():
            break
        payee = accounts[(number + turn % (len(accounts) - 1) + 1) % len(accounts)]
        order = {"fromAccount": accounts[number], "toAccount": payee, "amount": 0.01, "currency": "USD"}
        succeeded += (await connection.send("POST", "/wallets/balanceTransfer", order))[0] == 201
    connection.close()
    return succeeded


async def transfers(base_url: str, accounts: Sequence[str]) -> int:
    """The number of transfers that succeed in the measured time."""
    stop = asyncio.Event()
    payers = [asyncio.create_task(pay(base_url, accounts, number, stop)) for number in range(PAYERS)]
    await asyncio.sleep(MEASURED_S)
    stop.set()
    return sum(await asyncio.gather(*payers))


@asynccontextmanager
async def read_without_pause(base_url: str, path: str) -> AsyncIterator[None]:
    """Within the context, many clients read this path, each again as soon as it has an answer."""

    async def read() -> None:
        connection = KeptConnection(base_url)
        try:
            while True:
                await connection.send("GET", path)
        finally:
            connection.close()

    readers = [asyncio.create_task(read()) for _ in range(READERS)]
    await asyncio.sleep(0.5)
    try:
        yield
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def share_kept(base_url: str, accounts: Sequence[str], path: str) -> float:
    """The share of their throughput that transfers keep while many clients read this path."""
    async with read_without_pause(base_url, path):
        loaded = await transfers(base_url, accounts)
    return loaded / await transfers(base_url, accounts)


def test_readers_leave_transfers_their_throughput(saga: Stack) -> None:
    """While 200 clients read readiness, a transfer or a statement, transfers keep a quarter of their throughput."""
    accounts = opened(saga.base_url, 20)

    async def shares() -> dict[str, float]:
        order = {"fromAccount": accounts[0], "toAccount": accounts[1], "amount": 1, "currency": "USD"}
        _, paid = await KeptConnection(saga.base_url).send("POST", "/wallets/balanceTransfer", order)
        transfer_id = msgspec.json.decode(paid)["transactionId"]
        await transfers(saga.base_url, accounts)
        paths = ("/readyz", f"/transfers/{transfer_id}", f"{wallet_path(accounts[0])}/transactions")
        return {path: await share_kept(saga.base_url, accounts, path) for path in paths}

    kept = asyncio.run(shares())
    assert min(kept.values()) >= SHARE_MIN, kept
