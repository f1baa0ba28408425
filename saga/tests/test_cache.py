"""The balance cache on a real Redis: no read after an acknowledgement is stale, in any failure of Redis."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
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

from wallet_kernel.database import CommitUnknown
from wallet_kernel.redis_client import open_cache
from wallet_lab.testing import DatabaseUrls, RedisServer, running_redis
from wallet_saga.balance_cache import Entry, cache_key, entry_of
from wallet_saga.domain.batch import BatchKeys
from wallet_saga.domain.commands import Deposit, Done, OpenWallet, ReadWallet, Replayed, Unknown, WalletState
from wallet_saga.messages import Lookup
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import CLOCK_SKEW_MAX_S, BalanceCache, Lease
from wallet_saga.worker.routes import InternalRoutes
from wallet_saga.worker.store import Applied, Decide, Store

pytestmark = pytest.mark.anyio

LEASE_S = 1.0
TIMEOUT_S = 0.3
SLACK_S = 20.0
"""The delay that the tests allow on a busy machine."""
LONG_OVER = Lease(0.0, 0.0)


def state(version: int, name: str = "a") -> WalletState:
    return WalletState(name, "USD", "active", version, 0, version, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that a test may stop, pause or misconfigure."""
    with running_redis() as running:
        yield running


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator["Redis"]:
    """A client that reads the worker's entries."""
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


async def test_balance_is_in_redis_before_its_step_is_answered(cache: BalanceCache, redis: "Redis") -> None:
    """When `show` returns, the new value is in Redis, for all wallets of the batch."""
    await cache.show([state(7, "a"), state(9, "b")], cache.lease())
    assert (await shown_version(redis, "a"), await shown_version(redis, "b")) == (7, 9)


async def test_late_write_of_an_older_version_replaces_no_newer_one(
    cache: BalanceCache, redis: "Redis"
) -> None:
    """A late write of an older version does not replace a newer version."""
    await cache.show([state(2)], cache.lease())
    await cache.show([state(1)], cache.lease())
    assert await shown_version(redis) == 2


async def test_versions_are_compared_as_numbers(cache: BalanceCache, redis: "Redis") -> None:
    """Version 10 is newer than version 9."""
    for version in (9, 10, 9):
        await cache.show([state(version)], cache.lease())
    assert await shown_version(redis) == 10


async def test_write_of_the_same_version_renews_its_lease(cache: BalanceCache, redis: "Redis") -> None:
    """Showing the same version again renews its lease, so that a cache miss of an unchanged wallet fills the cache."""
    await cache.show([state(1)], lease(0.2 * LEASE_S))
    await cache.show([state(1)], cache.lease())
    assert await redis.pttl(cache_key("a")) > 300 * LEASE_S


async def test_write_after_its_lease_stores_no_entry(cache: BalanceCache, redis: "Redis") -> None:
    """If a write reaches Redis after its lease, Redis stores no entry, because the expiry is in the past."""
    await cache.show([state(1)], lease(-0.01))
    assert await shown_version(redis) is None


async def test_write_after_its_lease_replaces_no_newer_entry(cache: BalanceCache, redis: "Redis") -> None:
    """If a write of an older version reaches Redis after its lease, the newer entry remains."""
    await cache.show([state(2)], cache.lease())
    await cache.show([state(1)], lease(-0.01))
    assert await shown_version(redis) == 2


@pytest.mark.slow
async def test_entry_expires_with_its_lease(cache: BalanceCache, redis: "Redis") -> None:
    """An entry expires when its lease ends."""
    granted = cache.lease()
    await cache.show([state(1)], granted)
    assert await redis.pttl(cache_key("a")) <= LEASE_S * 1000
    await asyncio.sleep(granted.ends_s - time.monotonic() + 0.02)
    assert await shown_version(redis) is None


@pytest.mark.slow
async def test_lease_begins_before_the_database_is_read(
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


async def test_batch_without_balances_does_not_wait(server: RedisServer) -> None:
    """A batch without wallets to show (completions) does not wait for Redis or a lease."""
    cache = BalanceCache(client(server), lease_s=60, timeout_s=TIMEOUT_S)
    async with asyncio.timeout(SLACK_S):
        await cache.show([], cache.lease())


async def test_posting_without_a_live_lease_makes_no_call_to_redis(
    cache: BalanceCache, redis: "Redis"
) -> None:
    """If no client has read a wallet within the last lease, its changes are not written to Redis."""
    cache._inherited = LONG_OVER
    await cache.show([state(1, "read")], cache.lease())
    before = await writes_to(redis)
    await cache.show([], cache.lease(), [state(1, "a"), state(1, "b")])
    assert await writes_to(redis) == before
    assert await shown_version(redis) is None


async def writes_to(redis: "Redis") -> int:
    """Returns the number of the worker's writes that Redis has executed."""
    counts: Any = await redis.info("commandstats")
    return sum(counts[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in counts)


async def test_posting_on_a_leased_wallet_is_shown_and_does_not_renew_the_lease(
    cache: BalanceCache, redis: "Redis"
) -> None:
    """While an entry may be in Redis, a posting replaces it. The entry still ends with the lease of the last read."""
    cache._inherited = LONG_OVER
    granted = cache.lease()
    await cache.show([state(1)], granted)
    await asyncio.sleep(LEASE_S / 10)
    await cache.show([], cache.lease(), [state(2)])
    left_ms = (granted.expires_s - time.time()) * 1000
    assert await shown_version(redis) == 2
    assert await redis.pttl(cache_key("a")) <= left_ms


async def test_new_writer_shows_every_posting_during_the_leases_of_its_predecessor(
    cache: BalanceCache, redis: "Redis"
) -> None:
    """A new writer does not know the leases of its predecessor, so it replaces every entry until they are over."""
    await cache.show([state(1)], cache.lease())
    successor = BalanceCache(redis, LEASE_S, TIMEOUT_S)
    successor._up = True
    await successor.show([], successor.lease(), [state(2)])
    assert await shown_version(redis) == 2


async def test_lease_is_live_while_one_of_the_clocks_has_not_reached_its_end(
    cache: BalanceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the clock is set back, the entry lives longer. So the worker still replaces it after the lease's duration."""
    cache._inherited = LONG_OVER
    granted = lease(-2 * CLOCK_SKEW_MAX_S)
    assert granted.is_over
    written = list[object]()

    async def write(entries: object) -> None:
        written.append(entries)

    monkeypatch.setattr(cache._writer, "write", write)
    real = time.time
    monkeypatch.setattr("wallet_saga.worker.cache.time", lambda: real() - 600)
    await cache.show([state(1)], granted)
    await cache.show([], cache.lease(), [state(2)])
    assert len(written) == 2


async def test_remembered_leases_are_bounded_if_the_clock_is_set_back(
    cache: BalanceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases that do not end because the clock was set back are not remembered one by one, and still count as live."""
    monkeypatch.setattr("wallet_saga.worker.cache.LEASES_MAX", 10)
    cache._inherited = LONG_OVER
    await cache.show([state(1)], cache.lease())
    written = list[Entry]()

    async def write(entries: Sequence[Entry]) -> None:
        written.extend(entries)

    monkeypatch.setattr(cache._writer, "write", write)
    real = time.time
    monkeypatch.setattr("wallet_saga.worker.cache.time", lambda: real() - 600)
    for number in range(50):
        await cache.show([state(1, f"another {number}")], cache.lease())
        assert len(cache._leases) <= 10
    await cache.show([], cache.lease(), [state(2)])
    assert written[-1].key == cache_key("a")


async def test_worker_writes_entries_again_after_redis_was_emptied(
    cache: BalanceCache, redis: "Redis"
) -> None:
    """After Redis was emptied, the worker loads its script again and writes entries again."""
    await cache.show([state(1)], cache.lease())
    await redis.flushall()
    await redis.script_flush()
    await cache.show([state(2)], cache.lease())
    assert await shown_version(redis) == 2


# Redis does not answer.


@pytest.mark.slow
async def test_dead_redis_costs_one_lease_once(server: RedisServer, cache: BalanceCache) -> None:
    """If Redis dies, the first batch waits until the last lease has expired; later batches do not wait."""
    await cache.show([state(1)], cache.lease())
    server.kill()
    first_s, then_s = await time_to_show(cache, 2), await time_to_show(cache, 3)
    assert LEASE_S <= first_s < LEASE_S + CLOCK_SKEW_MAX_S + SLACK_S
    assert then_s < first_s / 2, "the second one waited, too"


@pytest.mark.slow
async def test_hanging_redis_costs_one_lease_and_one_timeout(
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
async def test_write_of_a_paused_redis_is_not_shown_after_its_lease(
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
async def test_new_worker_without_redis_waits_for_the_leases_of_its_predecessor(server: RedisServer) -> None:
    """Without Redis, a new worker's first batch waits one lease, because its predecessor may have granted leases."""
    with paused(server):
        cache = BalanceCache(client(server), LEASE_S, TIMEOUT_S)
        await cache.start()
        first_s, then_s = await time_to_show(cache, 1), await time_to_show(cache, 2)
    assert LEASE_S <= first_s < LEASE_S + CLOCK_SKEW_MAX_S + SLACK_S
    assert then_s < first_s / 2, "the second one waited, too"
    await cache.close()


@pytest.mark.slow
async def test_first_entry_of_a_new_writer_outlives_the_leases_of_its_predecessor(
    server: RedisServer, database: DatabaseUrls, store: Store, redis: "Redis"
) -> None:
    """If a new writer needs long to connect, a late write of its predecessor still replaces no newer balance."""
    async with (
        running_cache(server, TakesOverSlowly.LEASE_S) as cache,
        TakesOverSlowly(database.service, timedelta(minutes=1), ONE_SHARD) as slow,
    ):
        await BatchWriter(store, cache, 1000, 20_000).perform([OpenWallet(uuid4(), "a", 1, "USD")])
        await store._writer.close()
        assert await BatchWriter(slow, cache, 1000, 20_000).perform([Deposit(uuid4(), "a", 1, "USD")]) == [
            Done()
        ]
        await cache._writer.write([entry_of(state(1), slow.lease_of_predecessor.expires_s)])
    assert await shown_version(redis) == 2


class TakesOverSlowly(Store):
    """A store that needs longer than a lease to connect. Until then, its predecessor reads the database."""

    LEASE_S = 3.0
    lease_of_predecessor = LONG_OVER

    async def _take_over(self, connection: asyncpg.Connection) -> None:
        await asyncio.sleep(1.1 * self.LEASE_S)
        self.lease_of_predecessor = lease(self.LEASE_S)
        await super()._take_over(connection)


# Lookups and the cache: a client may look up a transfer and then read a balance.


@pytest.mark.slow
async def test_lookup_is_not_ahead_of_the_cache(
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
    while await store.transfer(step.transaction_id) is None:  # noqa: ASYNC110 -- the database sends no event for it
        await asyncio.sleep(0.01)
    assert await shown_version(redis) == 1, "The cache was not behind, so the test proves nothing."
    assert await InternalRoutes(ONE_SHARD, writer, store).transfer(Lookup(step.transaction_id)) is not None
    assert await shown_version(redis) is None
    assert await answer == [Done()]


async def _is_lost(*_: object, **__: object) -> None:
    await asyncio.sleep(60)


@pytest.mark.slow
async def test_old_balance_is_not_shown_after_a_lookup_of_an_unknown_outcome(
    database: DatabaseUrls, cache: BalanceCache, redis: "Redis"
) -> None:
    """If a lookup finds a step whose outcome was Unknown, the old balance is no longer shown."""
    step = Deposit(uuid4(), "a", 1, "USD", None, None)
    async with losing_replies(database, cache) as (store, writer):
        await cache.wait_for_inherited_leases()
        await writer.perform([ReadWallet("a")])
        store.is_losing = True
        assert await writer.perform([step]) == [Unknown()]
        assert await shown_version(redis) == 1, "The cache was not behind, so the test proves nothing."
        store.is_losing = False
        assert (
            await InternalRoutes(ONE_SHARD, writer, store).transfer(Lookup(step.transaction_id)) is not None
        )
    assert await shown_version(redis) is None


async def test_unknown_outcome_does_not_delay_the_next_batch(
    server: RedisServer, database: DatabaseUrls, redis: "Redis"
) -> None:
    """An Unknown outcome is answered at once. When the step is sent again, its answer follows the new balance."""
    step = Deposit(uuid4(), "a", 1, "USD", None, None)
    async with running_cache(server, lease_s=12) as cache, losing_replies(database, cache) as (store, writer):
        store.is_losing = True
        unknown = asyncio.create_task(writer.perform([step]))
        await asyncio.wait([unknown], timeout=8)
        assert unknown.done(), "The answer waited for the leases."
        store.is_losing = False
        [outcome] = await writer.perform([step])
    assert await unknown == [Unknown()]
    assert isinstance(outcome, Replayed)
    assert await shown_version(redis) == 2


@contextlib.asynccontextmanager
async def losing_replies(
    database: DatabaseUrls, cache: BalanceCache
) -> AsyncIterator[tuple["LosesReplies", BatchWriter]]:
    """A store and a writer of it. The shard has the wallet `a`."""
    async with LosesReplies(database.service, timedelta(minutes=1), ONE_SHARD) as store:
        writer = BatchWriter(store, cache, 1000, 20_000)
        await writer.perform([OpenWallet(uuid4(), "a", 1, "USD", None, None)])
        yield store, writer


class LosesReplies(Store):
    """A store that commits, but loses the confirmations."""

    is_losing = False

    async def apply(self, keys: BatchKeys, decide: Decide) -> Applied:
        applied = await super().apply(keys, decide)
        if self.is_losing:
            raise CommitUnknown("the reply was lost")
        return applied


@pytest.mark.slow
async def test_new_worker_answers_lookups_only_after_the_leases_of_its_predecessor(
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
    monkeypatch.setattr("wallet_kernel.redis_client.PAUSE_S", 0.05)
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
