"""The balance cache on a real Redis: no read after an acknowledgement is stale, in any failure of Redis."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from saga_support.scene import ONE_SHARD

from wallet_kernel.cache import open_cache
from wallet_kernel.database import CommitUnknown
from wallet_lab.testing import DatabaseUrls, RedisServer, running_redis
from wallet_saga.balance_cache import cache_key
from wallet_saga.domain.batch import Batch, BatchKeys
from wallet_saga.domain.commands import Deposit, Done, OpenWallet, ReadWallet, Unknown, WalletState
from wallet_saga.messages import Lookup
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import CLOCK_SKEW_MAX_S, BalanceCache, Lease
from wallet_saga.worker.routes import InternalRoutes
from wallet_saga.worker.store import Store

pytestmark = pytest.mark.anyio

LEASE_S = 1.0
TIMEOUT_S = 0.3
SLACK_S = 20.0
"""The delay that the tests allow on a busy machine."""


def state(version: int, name: str = "a") -> WalletState:
    return WalletState(name, "USD", "active", version, 0, version, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that a test may stop, pause or misconfigure."""
    with running_redis() as running:
        yield running


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator["Redis"]:
    """A client that reads what the worker wrote."""
    async with client(server) as opened:
        yield opened


@pytest.fixture
async def cache(server: RedisServer) -> AsyncIterator[BalanceCache]:
    """A worker's cache that uses Redis."""
    async with running_cache(server) as found:
        yield found


def client(server: RedisServer) -> "Redis":
    return open_cache(server.url)


@contextlib.asynccontextmanager
async def running_cache(server: RedisServer, lease_s: float = LEASE_S) -> AsyncIterator[BalanceCache]:
    cache = BalanceCache(client(server), lease_s, TIMEOUT_S)
    await cache.start()
    await until(lambda: cache._up)
    yield cache
    await cache.close()


async def until(met: Callable[[], bool], patience_s: float = 5.0) -> None:
    async with asyncio.timeout(patience_s):
        while not met():  # noqa: ASYNC110 -- the condition has no event
            await asyncio.sleep(0.01)


async def shown_version(redis: "Redis", name: str = "a") -> int | None:
    entry: Any = await redis.get(cache_key(name))
    return int(entry.split(b" ")[0]) if entry else None


@contextlib.contextmanager
def paused(server: RedisServer) -> Iterator[None]:
    """Pauses Redis: it keeps its connections but does not answer."""
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server._process.pid, signal.SIGCONT)


async def time_to_show(cache: BalanceCache, version: int) -> float:
    """Returns the seconds that `show` takes for this version."""
    begin_s = time.monotonic()
    await cache.show([state(version)], cache.lease())
    return time.monotonic() - begin_s


def lease(seconds: float) -> Lease:
    """Returns a lease that ends in this many seconds."""
    return Lease(time.time() + seconds, time.monotonic() + seconds)


# Redis answers.


async def test_a_step_is_shown_when_its_answer_goes_out(cache: BalanceCache, redis: "Redis") -> None:
    """When `show` returns, the new value is in Redis, for all wallets of the batch."""
    await cache.show([state(7, "a"), state(9, "b")], cache.lease())
    assert (await shown_version(redis, "a"), await shown_version(redis, "b")) == (7, 9)


async def test_a_late_write_of_an_older_version_replaces_nothing(cache: BalanceCache, redis: "Redis") -> None:
    """A late write of an older version does not replace a newer version."""
    await cache.show([state(2)], cache.lease())
    await cache.show([state(1)], cache.lease())
    assert await shown_version(redis) == 2


async def test_versions_are_compared_as_numbers(cache: BalanceCache, redis: "Redis") -> None:
    """Version 10 is newer than version 9."""
    for version in (9, 10, 9):
        await cache.show([state(version)], cache.lease())
    assert await shown_version(redis) == 10


async def test_the_same_version_renews_its_lease(cache: BalanceCache, redis: "Redis") -> None:
    """Showing the same version again renews its lease, so that a cache miss of an unchanged wallet fills the cache."""
    await cache.show([state(1)], lease(0.2 * LEASE_S))
    await cache.show([state(1)], cache.lease())
    assert await redis.pttl(cache_key("a")) > 300 * LEASE_S


async def test_a_write_after_its_lease_is_dead_on_arrival(cache: BalanceCache, redis: "Redis") -> None:
    """If a write reaches Redis after its lease, Redis stores no entry, because the expiry is in the past."""
    await cache.show([state(1)], lease(-0.01))
    assert await shown_version(redis) is None


async def test_a_write_after_its_lease_replaces_nothing_newer(cache: BalanceCache, redis: "Redis") -> None:
    """If a write of an older version reaches Redis after its lease, the newer entry remains."""
    await cache.show([state(2)], cache.lease())
    await cache.show([state(1)], lease(-0.01))
    assert await shown_version(redis) == 2


@pytest.mark.slow
async def test_an_entry_ends_with_its_lease(cache: BalanceCache, redis: "Redis") -> None:
    """An entry expires when its lease ends."""
    granted = cache.lease()
    await cache.show([state(1)], granted)
    assert await redis.pttl(cache_key("a")) <= LEASE_S * 1000
    await asyncio.sleep(granted.ends_s - time.monotonic() + 0.02)
    assert await shown_version(redis) is None


@pytest.mark.slow
async def test_a_lease_begins_before_the_database_is_read(
    store: Store, database: DatabaseUrls, cache: BalanceCache, redis: "Redis"
) -> None:
    """A lease begins before the database is read, so an entry of a transaction longer than a lease is not shown."""
    writer = BatchWriter(store, cache, 1000, 20_000)
    await writer.perform([OpenWallet(uuid4(), "a", 1, "USD", None, None)])
    await redis.flushall()
    loading = await asyncpg.connect(database.service)
    await loading.execute("SELECT pg_advisory_lock(1)")
    reading = asyncio.create_task(writer.perform([ReadWallet("a")]))
    await asyncio.sleep(LEASE_S + 0.05)  # the read waits for the lock
    await loading.close()
    await reading
    assert await shown_version(redis) is None


async def test_an_empty_batch_waits_for_nothing(server: RedisServer) -> None:
    """A batch without wallets to show (completions) does not wait for Redis or a lease."""
    cache = BalanceCache(client(server), lease_s=60, timeout_s=TIMEOUT_S)
    async with asyncio.timeout(SLACK_S):
        await cache.show([], cache.lease())


async def test_flushed_redis_is_filled_again(cache: BalanceCache, redis: "Redis") -> None:
    """After Redis was emptied, the worker loads its script again and writes entries again."""
    await cache.show([state(1)], cache.lease())
    await redis.flushall()
    await redis.script_flush()
    await cache.show([state(2)], cache.lease())
    assert await shown_version(redis) == 2


# Redis does not answer.


@pytest.mark.slow
async def test_a_dead_redis_costs_one_lease_once(server: RedisServer, cache: BalanceCache) -> None:
    """If Redis dies, the first batch waits until the last lease has expired; later batches do not wait."""
    await cache.show([state(1)], cache.lease())
    server.kill()
    first_s, then_s = await time_to_show(cache, 2), await time_to_show(cache, 3)
    assert LEASE_S <= first_s < LEASE_S + CLOCK_SKEW_MAX_S + SLACK_S
    assert then_s < first_s / 2, "the second one waited, too"


@pytest.mark.slow
async def test_a_redis_that_hangs_costs_one_lease_and_one_timeout(
    server: RedisServer, cache: BalanceCache
) -> None:
    """If Redis hangs, the first batch waits for one timeout and one lease; later batches do not wait."""
    await cache.show([state(1)], cache.lease())
    with paused(server):
        first_s, then_s = await time_to_show(cache, 2), await time_to_show(cache, 3)
    assert LEASE_S <= first_s < LEASE_S + TIMEOUT_S + CLOCK_SKEW_MAX_S + SLACK_S
    assert then_s < first_s / 2, "the second one waited, too"


REFUSALS = {
    "out of memory": "CONFIG SET maxmemory 1",
    "read-only replica": "REPLICAOF 127.0.0.1 1",
    "probe only": "ACL SETUSER default resetkeys ~probe:*",
}


@pytest.mark.slow
@pytest.mark.parametrize("command", REFUSALS.values(), ids=REFUSALS.keys())
async def test_redis_that_answers_but_refuses_writes_costs_few_leases(
    server: RedisServer, redis: "Redis", monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """If Redis rejects all writes, one lease is lost; if it accepts only probes, the pauses between losses double."""
    monkeypatch.setattr("wallet_saga.worker.cache.PAUSE_FIRST_S", 0.25)
    async with running_cache(server, lease_s=0.2) as cache:
        await cache.show([state(1)], cache.lease())
        await redis.execute_command(*command.split(" "))  # type: ignore[no-untyped-call]
        waits, until_s = 0, time.monotonic() + 3
        while time.monotonic() < until_s:
            waits += await time_to_show(cache, 2) >= 0.2
            await asyncio.sleep(0.01)
    assert 1 <= waits <= (4 if "ACL" in command else 1)


@pytest.mark.slow
async def test_redis_is_used_again_when_it_takes_writes(
    server: RedisServer, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Redis was out of memory, the worker uses it again once it accepts writes."""
    monkeypatch.setattr("wallet_saga.worker.cache.PAUSE_FIRST_S", 0.1)
    async with running_cache(server, lease_s=0.2) as cache:
        await redis.config_set("maxmemory", 1)
        await cache.show([state(1)], cache.lease())
        await asyncio.sleep(0.3)
        assert not cache._up
        await redis.config_set("maxmemory", 0)
        await until(lambda: cache._up)
        await cache.show([state(2)], cache.lease())
        assert await shown_version(redis) == 2


@pytest.mark.slow
async def test_clock_set_back_does_not_lengthen_local_waits(
    server: RedisServer, cache: BalanceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the clock is set back by 600 s, local waits are not longer, because they use the monotonic clock."""
    await cache.show([state(1)], cache.lease())
    real = time.time
    monkeypatch.setattr("wallet_saga.worker.cache.time", lambda: real() - 600)
    waiting = asyncio.create_task(cache.wait_for_inherited_leases())
    done, _ = await asyncio.wait([waiting], timeout=LEASE_S + CLOCK_SKEW_MAX_S + SLACK_S)
    waiting.cancel()
    assert done, "The worker waited longer than a lease."
    server.kill()
    assert await time_to_show(cache, 2) < LEASE_S + TIMEOUT_S + CLOCK_SKEW_MAX_S + SLACK_S


async def test_entries_of_worker_whose_clock_is_ahead_are_refused(
    server: RedisServer, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis rejects the entry of a worker whose clock is ahead, because the entry would outlive its lease."""
    real = time.time
    async with running_cache(server, lease_s=0.2) as cache:
        monkeypatch.setattr("wallet_saga.worker.cache.time", lambda: real() + 600)
        assert await time_to_show(cache, 1) >= 0.2
    assert await shown_version(redis) is None


@pytest.mark.slow
async def test_a_write_that_hung_shows_nothing_afterwards(
    server: RedisServer, cache: BalanceCache, redis: "Redis"
) -> None:
    """If a paused Redis performs a write after the lease has ended, the entry is not shown."""
    await cache.show([state(1)], cache.lease())
    with paused(server):
        await cache.show([state(2)], cache.lease())
        await cache.show([state(3)], cache.lease())
    assert await shown_version(redis) is None


@pytest.mark.slow
async def test_redis_is_used_again_when_it_is_back(
    server: RedisServer, cache: BalanceCache, redis: "Redis"
) -> None:
    """The worker uses a restarted Redis again without a restart of its own."""
    server.kill()
    await cache.show([state(1)], cache.lease())
    server.start()
    await until(lambda: cache._up)
    await cache.show([state(2)], cache.lease())
    assert await shown_version(redis) == 2


@pytest.mark.slow
async def test_a_new_worker_sits_out_its_predecessors_leases(server: RedisServer) -> None:
    """Without Redis, a new worker's first batch waits one lease, because its predecessor may have granted leases."""
    with paused(server):
        cache = BalanceCache(client(server), LEASE_S, TIMEOUT_S)
        await cache.start()
        first_s, then_s = await time_to_show(cache, 1), await time_to_show(cache, 2)
    assert LEASE_S <= first_s < LEASE_S + CLOCK_SKEW_MAX_S + SLACK_S
    assert then_s < first_s / 2, "the second one waited, too"
    await cache.close()


# Lookups and the cache: a client may look up a transfer and then read a balance.


@pytest.mark.slow
async def test_a_look_at_the_log_is_not_ahead_of_the_cache(
    store: Store, cache: BalanceCache, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a lookup shows a transfer as done, every later balance read shows it, too.

    The test partitions the network: readers reach Redis, but the worker's writes are lost.
    """
    writer = BatchWriter(store, cache, 1000, 20_000)
    await writer.perform([OpenWallet(uuid4(), "a", 1, "USD", None, None)])
    await cache.wait_for_inherited_leases()
    await writer.perform([ReadWallet("a")])
    step = Deposit(uuid4(), "a", 1, "USD", None, None)
    monkeypatch.setattr(cache._writer, "write", _is_lost)
    answer = asyncio.create_task(writer.perform([step]))
    while await store.transfer(step.transaction_id) is None:  # noqa: ASYNC110 -- the database has no event for us
        await asyncio.sleep(0.01)
    assert await shown_version(redis) == 1, "The cache was not behind, so the test proves nothing."
    assert await InternalRoutes(ONE_SHARD, writer, store).transfer(Lookup(step.transaction_id)) is not None
    assert await shown_version(redis) is None
    assert await answer == [Done()]


async def _is_lost(*_: object, **__: object) -> None:
    await asyncio.sleep(60)


@pytest.mark.slow
async def test_an_unknown_outcome_shows_nothing_older_either(
    database: DatabaseUrls, cache: BalanceCache, redis: "Redis"
) -> None:
    """After an Unknown outcome the old balance is no longer shown, because a lookup may find the committed step."""
    step = Deposit(uuid4(), "a", 1, "USD", None, None)
    async with LosesReplies(database.service, timedelta(minutes=1), ONE_SHARD) as store:
        writer = BatchWriter(store, cache, 1000, 20_000)
        await writer.perform([OpenWallet(uuid4(), "a", 1, "USD", None, None)])
        store.is_losing = True
        assert await writer.perform([step]) == [Unknown()]
        assert await store.transfer(step.transaction_id) is not None
    assert await shown_version(redis) is None


class LosesReplies(Store):
    """A store that commits, but loses the confirmations."""

    is_losing = False

    @contextlib.asynccontextmanager
    async def transaction(self, keys: BatchKeys) -> AsyncIterator[Batch]:
        async with super().transaction(keys) as batch:
            yield batch
        if self.is_losing:
            raise CommitUnknown("the reply was lost")


@pytest.mark.slow
async def test_a_new_worker_tells_nothing_while_its_predecessor_shows(
    store: Store, server: RedisServer
) -> None:
    """A new worker answers a lookup only after the leases of its predecessor have expired."""
    begin_s = time.monotonic()
    async with running_cache(server) as successor:
        writer = BatchWriter(store, successor, 1000, 20_000)
        await InternalRoutes(ONE_SHARD, writer, store).transfer(Lookup(uuid4()))
        assert LEASE_S <= time.monotonic() - begin_s < LEASE_S + CLOCK_SKEW_MAX_S + SLACK_S


# The property: no stale read after an acknowledgement, in random failures.


class Clients:
    """A writing and a reading client. As in the orchestrator, a read that misses Redis goes to the worker."""

    def __init__(self, reader: BalanceReader, writer: BatchWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.acknowledged = 1
        self.reads = self.hits = 0

    async def write(self, until_s: float) -> None:
        """Deposits repeatedly. Every read after an acknowledgement must show its version or a newer one."""
        while time.monotonic() < until_s:
            [outcome] = await self._writer.perform([Deposit(uuid4(), "a", 1, "USD", None, None)])
            assert outcome == Done()
            self.acknowledged += 1
            await asyncio.sleep(0.002)

    async def read(self, until_s: float) -> None:
        """Reads repeatedly. No read may show an older version than the one acknowledged when it began."""
        while time.monotonic() < until_s:
            least = self.acknowledged
            version = await self._version()
            assert version >= least, f"read version {version} after {least} was acknowledged"
            self.reads += 1
            await asyncio.sleep(0)

    async def _version(self) -> int:
        if body := await self._reader.cached("a"):
            self.hits += 1
            return int(msgspec.json.decode(body)["version"])
        [wallet] = await self._writer.perform([ReadWallet("a")])
        assert isinstance(wallet, WalletState)
        return wallet.version


async def break_redis(server: RedisServer, redis: "Redis", until_s: float) -> None:
    """Kills, pauses and empties Redis, for times shorter and longer than a lease."""
    random = Random(3)
    for fault in [*("kill", "pause", "flush") * 2, "pause"]:
        await asyncio.sleep(random.uniform(0.2, 0.7))
        down_s = random.choice([0.05, 0.3, LEASE_S + 0.3])
        if fault == "kill":
            server.kill()
            await asyncio.sleep(down_s)
            server.start()
        elif fault == "pause":
            with paused(server):
                await asyncio.sleep(down_s)
        else:
            with contextlib.suppress(RedisError):
                await redis.flushall()
    await asyncio.sleep(max(0.0, until_s - time.monotonic()))


@pytest.mark.slow
async def test_no_read_after_an_acknowledgement_is_stale(
    server: RedisServer,
    cache: BalanceCache,
    redis: "Redis",
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While Redis is killed, paused and emptied, no read shows a version older than the last acknowledged one."""
    monkeypatch.setattr("wallet_kernel.cache.PAUSE_S", 0.05)
    writer = BatchWriter(store, cache, 1000, 20_000)
    await writer.perform([OpenWallet(uuid4(), "a", 0, "USD", None, None)])
    until_s = time.monotonic() + 8
    async with client(server) as readers_redis, asyncio.TaskGroup() as group:
        clients = Clients(BalanceReader(readers_redis, TIMEOUT_S), writer)
        group.create_task(break_redis(server, redis, until_s))
        group.create_task(clients.write(until_s))
        for _ in range(8):
            group.create_task(clients.read(until_s))
    assert clients.acknowledged > 100
    assert clients.hits > 100, "Too few cache hits: the test proves nothing."
    assert clients.reads > clients.hits, "No cache misses: the test proves nothing."
