"""The projection's writes to Redis: in order, during the next batch, and again after a failure."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from cqrs_support.histories import RandomLog, append
from cqrs_support.projecting import ALICE, Bench, alices_log, bench, one_by_one
from cqrs_support.reading import just_read, read_shard
from cqrs_support.silencing import SilenceableWay
from redis.asyncio import Redis

from wallet_cqrs.domain.commands import OpenWallet
from wallet_cqrs.messages import EventBatch
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.query.balance_reader import BalanceReader
from wallet_cqrs.query.read_shard import open_read_pool
from wallet_cqrs.read_model import Checkpoint
from wallet_kernel.redis_client import open_cache
from wallet_lab.testing import DatabaseUrls, RedisServer, running_redis

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WAIT_S = 20.0
TTL_S = 2.0


@asynccontextmanager
async def refusing(redis: "Redis") -> AsyncIterator[None]:
    """Makes Redis refuse writes while the context is open."""
    memory = str((await redis.config_get("maxmemory"))["maxmemory"])
    await redis.config_set("maxmemory", 1)
    try:
        yield
    finally:
        await redis.config_set("maxmemory", memory)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the projection call Redis directly after a failure."""
    monkeypatch.setattr("wallet_kernel.redis_client.PAUSE_S", 0)


async def test_refused_balances_are_written_with_the_next_message(a_bench: Bench) -> None:
    """If Redis refuses the balances of a batch, the next message writes them, even a heartbeat."""
    async with refusing(a_bench.redis):
        await a_bench.project(one_by_one(alices_log(5)))
    assert await a_bench.entry(ALICE) is None
    await a_bench.project([EventBatch(1, 1, [])])
    entry = await a_bench.entry(ALICE)
    assert entry is not None
    assert (entry.version, entry.position) == (1, 1)


async def test_refused_balances_of_another_epoch_are_dropped(a_bench: Bench) -> None:
    """After a restore of the log, refused balances of the former epoch are not written, because they may be lost."""
    cache = BalanceCache(a_bench.redis, 60, 1)
    async with refusing(a_bench.redis):
        lost = Checkpoint(1, uuid4())
        await cache.show([just_read(alices_log(5).wallet(ALICE), lost)], lost.epoch)
    await cache.show([], uuid4())
    assert await a_bench.entry(ALICE) is None


async def test_refused_balances_are_bounded(a_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Redis refuses writes, the projection keeps only the newest balances for the next write."""
    monkeypatch.setattr("wallet_cqrs.projection.cache.UNWRITTEN_MAX", 2)
    written = RandomLog()
    for name in ("first", "second", "third"):
        written.do(OpenWallet(name, 5, "USD"))
    cache = BalanceCache(a_bench.redis, 60, 1)
    async with refusing(a_bench.redis):
        await cache.show([just_read(wallet, Checkpoint(3)) for wallet in written.wallets.values()], None)
    await cache.show([], None)
    found = [await a_bench.entry(name) is not None for name in written.wallets]
    assert found == [False, True, True]


async def test_refused_balances_are_dropped_when_a_newer_entry_may_have_expired(
    a_bench: Bench, event_store: DatabaseUrls, read_shards: list[DatabaseUrls], redis_server: RedisServer
) -> None:
    """A projection that was a standby meanwhile does not show old balances after newer entries have expired."""
    written = alices_log(5, 1)
    await append(event_store.owner, written.events)
    first, second = one_by_one(written)
    async with bench(event_store, read_shards[0], redis_server) as other:
        for made in (a_bench, other):
            made.projector._cache = BalanceCache(made.redis, TTL_S, 1)
        async with refusing(a_bench.redis):
            await a_bench.project([first])
        await other.project([second])
        newer = await other.entry(ALICE)
        assert newer is not None
        assert newer.version == 2
        await asyncio.sleep(TTL_S + 0.1)
    await a_bench.project([EventBatch(2, 2, [])])
    assert await a_bench.entry(ALICE) is None


async def test_reads_show_the_next_change_after_a_restart_of_redis(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls]
) -> None:
    """If Redis was killed, and a reader has written a balance since its restart, the next change replaces it."""
    first, second = one_by_one(alices_log(5, 1))
    with running_redis() as server:
        async with (
            bench(event_store, read_shards[0], server) as made,
            open_cache(server.url) as to_write,
            open_cache(server.url) as to_read,
            open_read_pool(read_shards[0].service) as pool,
        ):
            made.projector._cache = BalanceCache(to_write, 60, 1)
            settings = {"cache_ttl_s": 60, "cache_timeout_s": 1, "batch_max": 100, "queue_max": 1000}
            reader = BalanceReader(to_read, [read_shard(0, pool)], **settings)
            await made.project([first])
            server.kill()
            server.start()
            async with asyncio.timeout(WAIT_S):
                while not await reader._cached(ALICE):
                    await reader.balance(ALICE, 0)
            await made.project([second])
            shown = await reader.balance(ALICE, 0)
    assert shown is not None
    assert shown.version == 2


async def test_balances_of_a_large_batch_are_written_in_several_calls(
    a_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call to Redis writes a bounded number of balances, because it must end before the timeout."""
    monkeypatch.setattr("wallet_cqrs.projection.cache.WRITTEN_MAX", 2)
    written = RandomLog()
    written.grow([f"w{number}" for number in range(5)], 0)
    cache = BalanceCache(a_bench.redis, 60, 1)
    await a_bench.redis.config_resetstat()
    await cache.show([just_read(wallet, Checkpoint(5)) for wallet in written.wallets.values()], None)
    assert all([await a_bench.entry(name) for name in written.wallets])
    calls = (await a_bench.redis.info("commandstats"))["cmdstat_evalsha"]
    assert calls["calls"] - calls.get("failed_calls", 0) == 3


async def test_next_batch_is_applied_while_redis_gets_the_balances(
    a_bench: Bench, redis_server: RedisServer
) -> None:
    """While Redis gets the balances of one batch, the next batch is applied; its balances wait for their turn."""
    first, second, third = one_by_one(alices_log(5, 1, 2))
    async with SilenceableWay(redis_server.url).open() as way, Redis.from_url(way.url) as redis:
        a_bench.projector._cache = BalanceCache(redis, 60, 60)
        await a_bench.project([first])
        way.silence(for_good=True)
        await a_bench.projector.project([second])
        assert (await a_bench.store.progress())[0] == 2
        following = asyncio.create_task(a_bench.projector.project([third]))
        async with asyncio.timeout(WAIT_S):
            while (await a_bench.store.progress())[0] < 3:  # noqa: ASYNC110 -- polls a server
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not following.done()
        assert a_bench.projector.showing is not None
        a_bench.projector.showing.cancel()
        following.cancel()
        await asyncio.gather(following, a_bench.projector.showing, return_exceptions=True)
        a_bench.projector.showing = None
