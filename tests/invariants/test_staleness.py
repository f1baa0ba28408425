"""After an acknowledged transfer no read shows an older state, under faults of the cache and of the writers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.blackbox.api import Answer, AsyncWalletApi
from tests.blackbox.disturbance import kill_and_recover
from tests.blackbox.load import Order, answered, with_client
from tests.blackbox.names import FAR, NEAR
from tests.blackbox.reading import state_of
from tests.blackbox.stack import Stack, of_kind

OpenWallet = Callable[..., str]
STEP = Decimal("0.01")
PAIRS = 8
DECIDED_WITHIN_S = 30.0
READS = 100
"""The minimum number of answers, also on a slow machine."""
CACHE_WRITERS = {"saga": "worker", "cqrs": "projection"}
pytestmark = pytest.mark.slow


@dataclass
class Watched:
    """A wallet that only one pair's transfers change, so that each version has exactly one possible balance."""

    account: str
    opened: Decimal
    step: Decimal
    acknowledged: int = 1

    def assert_fresh(self, answer: Answer, at_least: int) -> None:
        """Fail if the answer shows a version older than those acknowledged before the read, or a wrong balance."""
        state = state_of(answer)
        assert state.version >= at_least, f"{self} was read as {state}, older than version {at_least}"
        assert state.balance == self.opened + self.step * (state.version - 1), f"{self} was read as {state}"


async def read(api: AsyncWalletApi, wallet: Watched) -> bool:
    """Send one read, and return whether it was answered. During a fault it may fail."""
    at_least = wallet.acknowledged
    answer = await answered(api.balance(wallet.account))
    if answer is None or answer.status >= 500:
        return False
    wallet.assert_fresh(answer, at_least)
    return True


async def move(api: AsyncWalletApi, payer: Watched, payee: Watched) -> None:
    """Send one transfer, and retry with its key until it is acknowledged. From then on no read may be older."""
    order, deadline = Order(payer.account, payee.account, STEP), time.monotonic() + DECIDED_WITHIN_S
    while True:
        answer = await answered(api.transfer(order.payer, order.payee, STEP, key=order.key))
        if answer is not None and answer.status == 201:
            break
        assert answer is None or answer.status in (202, 503), answer
        assert time.monotonic() < deadline, f"{order} was not decided in {DECIDED_WITHIN_S} s: {answer}"
        await asyncio.sleep(0.1)
    payer.acknowledged += 1
    payee.acknowledged += 1


async def watch(
    api: AsyncWalletApi, pairs: list[tuple[Watched, Watched]], disturb: Callable[[], Awaitable[None]]
) -> None:
    """Run transfers on every pair, each followed by reads, while other readers read continuously."""
    done = asyncio.Event()
    reads = 0

    async def mover(payer: Watched, payee: Watched) -> None:
        nonlocal reads
        while not done.is_set():
            await move(api, payer, payee)
            seen = await asyncio.gather(read(api, payer), read(api, payee))
            reads += sum(seen)

    async def reader(wallet: Watched) -> None:
        nonlocal reads
        while not done.is_set():
            seen = await read(api, wallet)
            reads += seen
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as tasks:
        for pair in pairs:
            tasks.create_task(mover(*pair))
            for wallet in pair:
                tasks.create_task(reader(wallet))
        try:
            await disturb()
            while reads < READS:  # noqa: ASYNC110 -- the caller has a deadline
                await asyncio.sleep(0.1)
        finally:
            done.set()


def assert_never_stale(stack: Stack, open_wallet: OpenWallet, disturb: Callable[[], Awaitable[None]]) -> None:
    """Run the watch over pairs on one shard and on two. At the end every wallet is read again and must be exact."""
    pairs = [
        (
            Watched(open_wallet(100, slots=NEAR), Decimal(100), -STEP),
            Watched(open_wallet(0, slots=slots), Decimal(), STEP),
        )
        for slots in (NEAR, FAR)
        for _ in range(PAIRS // 2)
    ]

    async def scene(api: AsyncWalletApi) -> None:
        await watch(api, pairs, disturb)
        for wallet in (wallet for pair in pairs for wallet in pair):
            assert wallet.acknowledged > 1
            assert state_of(await api.balance(wallet.account)).version == wallet.acknowledged

    with_client(stack.base_url, scene, within_s=90)


def test_reads_are_fresh_without_faults(stack: Stack, open_wallet: OpenWallet) -> None:
    """A read that starts after a transfer was acknowledged shows that transfer or a newer state."""
    assert_never_stale(stack, open_wallet, lambda: asyncio.sleep(2))


@pytest.fixture
def cached(faults: Stack) -> Stack:
    """A stack with a cache, for tests that inject faults."""
    if faults.architecture not in CACHE_WRITERS:
        pytest.skip("the baselines have no cache")
    return faults


def test_reads_are_fresh_while_the_cache_is_flushed(cached: Stack, open_wallet: OpenWallet) -> None:
    """If Redis is flushed again and again under load, no read shows an older balance."""

    async def disturb() -> None:
        for _ in range(20):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(cached.flush_cache)

    assert_never_stale(cached, open_wallet, disturb)


def test_reads_are_fresh_while_the_cache_dies(cached: Stack, open_wallet: OpenWallet) -> None:
    """If Redis is killed twice with SIGKILL under load, no read is older than the acknowledged transfers."""
    names = [part.name for part in of_kind(cached, "redis")]

    async def disturb() -> None:
        for _ in range(2):
            await asyncio.sleep(0.5)
            await kill_and_recover(cached, names, signal.SIGKILL)
        await asyncio.sleep(0.5)

    assert_never_stale(cached, open_wallet, disturb)


def test_reads_are_fresh_while_the_cache_hangs(cached: Stack, open_wallet: OpenWallet) -> None:
    """If Redis is stopped and continued under load, reads may be slower but are never older."""
    names = [part.name for part in of_kind(cached, "redis")]

    async def disturb() -> None:
        for pause_s in (0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 2.0, 2.6):
            await asyncio.sleep(0.5)
            for name in names:
                cached.kill(name, signal.SIGSTOP)
            try:
                await asyncio.sleep(pause_s)
            finally:
                for name in names:
                    cached.kill(name, signal.SIGCONT)
        await asyncio.sleep(1)

    assert_never_stale(cached, open_wallet, disturb)


def test_reads_are_fresh_while_the_writer_of_the_cache_dies(cached: Stack, open_wallet: OpenWallet) -> None:
    """If a process is killed between its commit and its write to the cache, no read shows an older state."""
    victims = of_kind(cached, CACHE_WRITERS[cached.architecture])

    async def disturb() -> None:
        for victim in victims[:2] * 2:
            await asyncio.sleep(0.4)
            await kill_and_recover(cached, [victim.name], signal.SIGKILL)

    assert_never_stale(cached, open_wallet, disturb)
