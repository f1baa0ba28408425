"""The parts of the query service on real databases: min_position, stale entries in Redis, and past balances."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket
from typing import cast
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
from cqrs_support import reading
from cqrs_support.histories import BEGIN, RandomLog, append, batches, project, random_log
from cqrs_support.reading import just_read, read_shard
from cqrs_support.replicas import query
from cqrs_support.silencing import SilenceableWay
from msgspec import structs
from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, Reading, cache_key, parse_entry
from wallet_cqrs.domain.commands import OpenWallet
from wallet_cqrs.domain.wallet import STATE_SCHEMA, Wallet
from wallet_cqrs.event_log import open_pool
from wallet_cqrs.messages import partition_of
from wallet_cqrs.query.balance_reader import BalanceReader
from wallet_cqrs.query.history import FutureMoment, History
from wallet_cqrs.query.position_waiter import PositionWaiter
from wallet_cqrs.query.read_shard import ReadShard, open_read_pool
from wallet_cqrs.query.routes import PublicRoutes
from wallet_cqrs.query.settings import QuerySettings
from wallet_cqrs.read_model import Checkpoint
from wallet_kernel.contract.problems import Problem
from wallet_kernel.contract.requests import Requests
from wallet_kernel.http import Request
from wallet_lab.testing import DatabaseUrls, RedisServer, running_service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WAIT_S = 20.0
TTL_S = 60.0


@pytest.fixture
def written() -> RandomLog:
    """A random log."""
    return random_log()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator["Redis"]:
    """An empty Redis."""
    async with Redis.from_url(redis_server.url) as made:
        await made.flushall()
        yield made


@pytest.fixture
async def shards(read_shards: list[DatabaseUrls], written: RandomLog) -> AsyncIterator[list[ReadShard]]:
    """Both read shards, with the first half of the log."""
    async with half_way(read_shards, written, WAIT_S) as made:
        yield made


@pytest.fixture
async def hasty_shards(read_shards: list[DatabaseUrls], written: RandomLog) -> AsyncIterator[list[ReadShard]]:
    """The same read shards with a short position timeout."""
    async with half_way(read_shards, written, 0.3) as made:
        yield made


@asynccontextmanager
async def half_way(
    read_shards: list[DatabaseUrls], written: RandomLog, position_timeout_s: float
) -> AsyncIterator[list[ReadShard]]:
    """Builds read shards with the first half of the log."""
    async with AsyncExitStack() as opened:
        made = []
        for number, urls in enumerate(read_shards):
            await project(urls, batches(written.events[: len(written.events) // 2], number))
            pool = await opened.enter_async_context(open_read_pool(urls.service))
            made.append(read_shard(number, pool, position_timeout_s=position_timeout_s))
        yield made


def reader(redis: "Redis", shards: list[ReadShard]) -> BalanceReader:
    """Builds a balance reader, as the service does."""
    return BalanceReader(
        redis,
        shards,
        cache_ttl_s=TTL_S,
        cache_timeout_s=0.2,
        batch_max=100,
        queue_max=1000,
    )


async def test_entry_below_the_requested_position_is_not_returned(
    redis: "Redis", shards: list[ReadShard], written: RandomLog
) -> None:
    """If Redis has an older balance than min_position, the reader returns a newer one."""
    middle = written.events[len(written.events) // 2 - 1]
    stale = RandomLog()
    stale.do(OpenWallet(middle.stream_id, 42, "USD"))
    await CacheWriter(redis, 60, announce=False).write(
        [just_read(stale.wallet(middle.stream_id), Checkpoint(1))]
    )
    for (
        shard
    ) in shards:  # because the reader needs the epoch of the entries, and the position of the read model
        _, checkpoint = await shard.balance("nobody")
        shard.positions.advance(checkpoint.position)
    balances = reader(redis, shards)
    hasty = await balances.balance(middle.stream_id, 0)
    patient = await balances.balance(middle.stream_id, middle.position)
    assert hasty is not None
    assert patient is not None
    assert (hasty.version, hasty.position) == (1, 1)
    assert (patient.version, patient.position) == (middle.version, middle.position)


async def test_entry_of_another_epoch_is_not_returned(
    redis: "Redis", shards: list[ReadShard], written: RandomLog
) -> None:
    """After a restore of the log, entries of the former epoch are not returned, also if their version is newer."""
    account = written.events[0].stream_id
    lost = RandomLog()
    lost.do(OpenWallet(account, 42, "USD"))
    entry = just_read(lost.wallet(account), Checkpoint(10**9, uuid4()))
    await CacheWriter(redis, 60, announce=False).write([entry])
    shown = await reader(redis, shards).balance(account, 0)
    assert shown is not None
    assert shown.position <= written.events[-1].position


async def test_entries_filled_together_keep_the_positions_of_their_reads(
    redis: "Redis", shards: list[ReadShard], written: RandomLog
) -> None:
    """If two reads of different positions fill Redis at the same time, each entry has the position of its own read."""
    account = written.events[0].stream_id
    wallet, checkpoint = await stored(shards, account)
    other = structs.replace(wallet, account_id="other")
    await fill(
        reader(redis, shards),
        just_read(other, Checkpoint(1, checkpoint.epoch)),
        just_read(wallet, checkpoint),
    )
    raw = await redis.get(cache_key(account))
    assert isinstance(raw, bytes)
    assert parse_entry(raw).position == checkpoint.position > 1


async def test_balance_that_was_read_long_ago_is_not_written_to_redis(
    redis: "Redis", shards: list[ReadShard], written: RandomLog
) -> None:
    """If a paused service writes a balance later than an entry lives, a newer entry may have expired. It is skipped."""
    account, now_s = written.events[0].stream_id, time.monotonic()
    wallet, checkpoint = await stored(shards, account)
    other = structs.replace(wallet, account_id="other")
    await fill(
        reader(redis, shards),
        Reading(wallet, checkpoint, now_s - TTL_S - 1),
        Reading(other, checkpoint, now_s - TTL_S + 30),
    )
    assert await redis.get(cache_key(account)) is None
    assert await redis.get(cache_key("other")) is not None


async def stored(shards: list[ReadShard], account: str) -> tuple[Wallet, Checkpoint]:
    """Returns a wallet of the read model and the checkpoint of the read."""
    wallet, checkpoint = await shards[partition_of(account, len(shards))].balance(account)
    assert wallet is not None
    return wallet, checkpoint


async def fill(balances: BalanceReader, *readings: Reading) -> None:
    """Writes readings to Redis in one call, as reads that miss it do."""
    for each in readings:
        balances._fill(each)
    assert balances._filler is not None
    await balances._filler


async def test_read_waits_for_its_position(
    redis: "Redis", shards: list[ReadShard], read_shards: list[DatabaseUrls], written: RandomLog
) -> None:
    """A read with min_position is answered as soon as the read model has reached it."""
    head = written.events[-1].position
    account = written.events[0].stream_id
    waiting = asyncio.create_task(reader(redis, shards).balance(account, head))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    for number, urls in enumerate(read_shards):
        await project(urls, batches(written.events, number))
    entry = await waiting
    assert entry is not None
    assert entry.version == written.wallet(account).version


async def test_read_of_a_position_that_is_not_reached_makes_no_call_to_redis(
    redis: "Redis", shards: list[ReadShard], read_shards: list[DatabaseUrls], written: RandomLog
) -> None:
    """A read with a later min_position does not ask Redis, because Redis is never ahead of the read model."""
    await redis.config_resetstat()
    account, head = written.events[0].stream_id, written.events[-1].position
    waiting = asyncio.create_task(reader(redis, shards).balance(account, head))
    for number, urls in enumerate(read_shards):
        await project(urls, batches(written.events, number))
    assert await waiting is not None
    assert "cmdstat_mget" not in await redis.info("commandstats")


async def test_read_times_out_with_the_position_reached(
    redis: "Redis", hasty_shards: list[ReadShard]
) -> None:
    """If a position is not reached in time, the read gets a problem with the position reached."""
    with pytest.raises(Problem) as raised:
        await reader(redis, hasty_shards).balance("w0-1", 10**9)
    assert raised.value.name == "position-not-reached"
    assert raised.value.position is not None


@pytest.mark.parametrize("path", ["balance", "transactions"])
async def test_read_of_a_restored_read_model_gets_a_problem(
    redis: "Redis",
    hasty_shards: list[ReadShard],
    read_shards: list[DatabaseUrls],
    written: RandomLog,
    path: str,
) -> None:
    """If a read shard was restored to an older position, a read with a later min_position gets a problem."""
    account = next(name for name in written.wallets if partition_of(name, 2) == 0)
    reached = len(written.events) // 2
    routes = PublicRoutes(Requests(frozenset({"USD"})), reader(redis, hasty_shards), hasty_shards, NO_HISTORY)
    handler = routes.balance if path == "balance" else routes.statement
    assert (await handler(asked(account, reached))).status == 200
    await query(read_shards[0].owner, "UPDATE read_model.checkpoint SET position = 1")
    await redis.flushall()
    with pytest.raises(Problem) as raised:
        await handler(asked(account, reached))
    assert (raised.value.name, raised.value.position) == ("position-not-reached", 1)


async def test_read_waits_again_after_a_read_model_was_restored(
    redis: "Redis", shards: list[ReadShard], read_shards: list[DatabaseUrls], written: RandomLog
) -> None:
    """If a read shard was restored to an older position, a read of a position reached before waits until it returns."""
    account = next(name for name in written.wallets if partition_of(name, 2) == 0)
    reached = len(written.events) // 2
    balances = reader(redis, shards)
    await balances.balance(account, reached)
    await query(read_shards[0].owner, "UPDATE read_model.checkpoint SET position = 1")
    waiting = asyncio.create_task(balances.fresh(account, reached))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await query(read_shards[0].owner, "UPDATE read_model.checkpoint SET position = $1", reached)
    entry = await waiting
    assert entry is not None
    assert entry.position == reached


@pytest.mark.parametrize("read", ["past balance", "transfer", "lost transfer"])
async def test_read_of_the_log_waits_again_after_the_log_was_set_back(
    event_store: DatabaseUrls, written: RandomLog, read: str
) -> None:
    """If the log lost its end, a read of the event store with a lost min_position waits for it, then gets a problem."""
    await append(event_store.owner, written.events)
    head, event = written.events[-1].position, written.events[0]
    await query(event_store.owner, DECIDE, transfer_id := uuid4())
    async with open_pool(event_store.service, "test") as pool:
        history = History(pool, timeout_s=3, waiting_max=10, position_timeout_s=0.5)

        async def look() -> object:
            if read == "past balance":
                return await history.wallet_at(event.stream_id, event.at, head)
            return await history.transfer(transfer_id if read == "transfer" else uuid4(), head)

        await look()
        await query(event_store.owner, "UPDATE log_head SET position = $1", head - 1)
        with pytest.raises(Problem) as raised:
            await look()
        assert (raised.value.name, raised.value.position) == ("position-not-reached", head - 1)
        waiting = asyncio.create_task(look())
        await asyncio.sleep(0.1)
        await query(event_store.owner, "UPDATE log_head SET position = $1", head)
        await waiting


DECIDE = """INSERT INTO decisions (transaction_id, kind, from_account, to_account, amount_micros, currency,
first_position, last_position, at) VALUES ($1, 'transfer', 'a', 'b', 1, 'USD', 1, 1, now())"""
"""Stores a decision."""


NO_HISTORY = cast("History", None)
"""These tests read no past balances."""


def asked(account: str, min_position: int) -> Request:
    """Returns a request to read this wallet."""
    return Request(
        {
            "path_params": {"accountId": account},
            "query_string": b"min_position=%d" % min_position,
            "headers": [],
        }
    )


async def test_readers_that_wait_for_a_position_are_bounded() -> None:
    """If too many readers wait for a position, further ones are rejected."""

    async def look() -> int:
        return 0

    positions = PositionWaiter("test", look, waiting_max=2, timeout_s=0.5)
    outcomes = await asyncio.gather(*[positions.reach(1) for _ in range(3)], return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BulkheadFull", "Problem", "Problem"]


async def test_unavailable_database_causes_few_connection_attempts() -> None:
    """If the database is unavailable, waiting readers time out and cause few connection attempts."""
    looks = 0

    async def look() -> int:
        nonlocal looks
        looks += 1
        with socket() as nobody:  # a free port without a server
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
        connection = await asyncpg.connect(f"postgresql://nobody@127.0.0.1:{port}/none", timeout=1)
        return int(await connection.fetchval("SELECT 1"))

    with pytest.raises(Problem) as raised:
        await PositionWaiter("test", look, waiting_max=1, timeout_s=0.5).reach(1)
    assert (raised.value.name, raised.value.position) == ("position-not-reached", 0)
    assert 2 <= looks <= 10


async def test_cache_miss_writes_the_entry(
    redis: "Redis", shards: list[ReadShard], written: RandomLog
) -> None:
    """After a cache miss, the next reader finds the entry in Redis."""
    account = written.events[0].stream_id
    entry = await reader(redis, shards).balance(account, 0)
    for _ in range(100):
        if raw := await redis.get(cache_key(account)):
            break
        await asyncio.sleep(0.01)
    assert isinstance(raw, bytes)
    assert parse_entry(raw).version == (entry.version if entry else None)


async def test_reads_succeed_without_redis(shards: list[ReadShard], written: RandomLog) -> None:
    """If Redis is dead, reads succeed from the read model."""
    async with Redis.from_url("redis://127.0.0.1:1/0") as dead:
        assert await reader(dead, shards).balance(written.events[0].stream_id, 0) is not None
        assert await reader(dead, shards).balance("nobody", 0) is None


@pytest.fixture
async def history(event_store: DatabaseUrls, written: RandomLog) -> AsyncIterator[History]:
    """A history reader on an event store with the log."""
    await append(event_store.owner, written.events)
    async with open_pool(event_store.service, "test") as pool:
        yield reading.history(pool)


async def test_past_balance_is_the_fold_of_the_events_until_then(
    history: History, written: RandomLog
) -> None:
    """At the time of each event, the wallet has that event's version; before its first event it does not exist."""
    for event in written.events[::7]:
        wallet, _ = await history.wallet_at(event.stream_id, event.at)
        assert wallet.version == event.version
    nobody, _ = await history.wallet_at(written.events[0].stream_id, BEGIN)
    assert nobody.version == 0
    with pytest.raises(FutureMoment):
        await history.wallet_at("w0-1", datetime.now(UTC) + timedelta(minutes=1))


async def test_past_balance_does_not_need_a_readable_snapshot(
    history: History, event_store: DatabaseUrls, written: RandomLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a snapshot is damaged, the past balance is the fold of all events, which are read in bounded steps."""
    monkeypatch.setattr("wallet_cqrs.query.history.EVENTS_MAX", 2)
    event = written.events[-1]
    await query(
        event_store.owner,
        "INSERT INTO snapshots SELECT stream_id, version, $1, at, 'damaged' FROM events WHERE position = $2",
        STATE_SCHEMA,
        event.position,
    )
    wallet, _ = await history.wallet_at(event.stream_id, event.at)
    assert wallet == written.wallet(event.stream_id)


async def test_past_read_waits_for_the_append_in_flight(
    history: History, event_store: DatabaseUrls, written: RandomLog
) -> None:
    """A past read waits for an append in flight that may have earlier events."""
    writer = await asyncpg.connect(event_store.owner)
    appending = writer.transaction()
    await appending.start()
    head = await writer.fetchval("SELECT position FROM log_head FOR UPDATE")
    active = next(wallet.account_id for wallet in written.wallets.values() if wallet.status == "active")
    last = next(event for event in reversed(written.events) if event.stream_id == active)
    version = last.version + 1
    at = await writer.fetchval(
        "INSERT INTO events SELECT $1, stream_id, $2, 'WalletFrozen', 1, NULL, '{}', clock_timestamp()"
        " FROM events WHERE position = $3 RETURNING at",
        head + 1,
        version,
        last.position,
    )
    await writer.execute("UPDATE log_head SET position = $1", head + 1)
    looking = asyncio.create_task(history.wallet_at(last.stream_id, at))
    await asyncio.sleep(0.3)
    assert not looking.done()
    await appending.commit()
    await writer.close()
    wallet, _ = await looking
    assert wallet.version == version


async def test_past_read_of_an_older_time_does_not_wait_for_the_append_in_flight(
    history: History, event_store: DatabaseUrls, written: RandomLog
) -> None:
    """A past read before the start of the append in flight does not wait, because its events are not older."""
    before = datetime.now(UTC)
    await asyncio.sleep(0.05)
    writer = await asyncpg.connect(event_store.service)
    await writer.execute("BEGIN; SELECT FROM log_head FOR UPDATE")
    async with asyncio.timeout(10):
        wallet, _ = await history.wallet_at(written.events[0].stream_id, before)
    assert wallet.version > 0
    await writer.close()


async def test_past_read_writes_nothing(history: History, written: RandomLog) -> None:
    """A past read uses no transaction id and writes no WAL, so appends do not wait for it."""
    event = written.events[-1]
    await history.wallet_at(event.stream_id, event.at)  # the first read may set hint bits
    quiet: list[bool] = []
    while True not in quiet and len(quiet) < 5:  # background processes of the cluster sometimes write
        before = await wal_and_next_transaction(history)
        for _ in range(20):
            await history.wallet_at(event.stream_id, event.at)
        quiet.append(await wal_and_next_transaction(history) == before)
    assert True in quiet


async def wal_and_next_transaction(history: History) -> tuple[object, object]:
    """Returns the end of the server's WAL, and the next transaction id."""
    async with history._pool.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT pg_current_wal_insert_lsn()::text, pg_snapshot_xmax(pg_current_snapshot())::text"
        )
    return tuple(row)


SCALE = 20
"""The service under test has a twentieth of its default bounds."""


def scaled(setting: str) -> str:
    """Returns the default of a setting, divided by SCALE."""
    return str(QuerySettings.model_fields[setting].default // SCALE)


@pytest.mark.parametrize("silent", ["event store", "read shard"])
async def test_reads_of_an_unresponsive_database_fail_at_the_deadline_without_delaying_others(
    event_store: DatabaseUrls,
    read_shards: list[DatabaseUrls],
    written: RandomLog,
    tmp_path: Path,
    silent: str,
) -> None:
    """Reads of an unresponsive database get 503 by its deadline or immediately; reads of other databases continue."""
    for number, urls in enumerate(read_shards):
        await project(urls, batches(written.events, number))
    names = [next(name for name in written.wallets if partition_of(name, 2) == shard) for shard in (0, 1)]
    target = event_store if silent == "event store" else read_shards[0]
    path = f"/transfers/{uuid4()}" if silent == "event store" else f"/wallets/{names[0]}/transactions"
    async with SilenceableWay(target.service).open() as way:
        databases = {url: url for url in (event_store.service, *(shard.service for shard in read_shards))}
        databases[target.service] = way.url
        settings = {"redis_url": "redis://127.0.0.1:1/0", "queue_max": "50"}
        settings |= {"event_store_timeout_s": "1", "read_timeout_s": "1"}
        settings["event_store_url"] = databases[event_store.service]
        settings["read_urls"] = ",".join(databases[shard.service] for shard in read_shards)
        with running_service("wallet_cqrs.query", tmp_path / "log", **settings) as service:
            while not await asyncio.to_thread(service.is_ready):  # noqa: ASYNC110 -- polls a process while the proxy runs
                await asyncio.sleep(0.1)
            await answers(service.public_url, path, [], crowd=3)  # opens connections first
            way.silence(for_good=True)
            crowd, others = await answers(
                service.public_url, path, [f"/wallets/{names[1]}/balance", "/readyz"]
            )
            service.kill()
    assert others == ["200"] * len(others)
    assert set(crowd) == {"/problems/shard-unavailable", "/problems/overloaded"}


CROWD = 300
PATIENCE_S = 8.0
"""The clients' timeout. The gateway's is 15 s."""


async def answers(
    url: str, path: str, others_paths: list[str], crowd: int = CROWD
) -> tuple[list[str], list[str]]:
    """Returns the problem types or statuses of a crowd on one path, and of another client on other paths."""
    patience = aiohttp.ClientTimeout(total=PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, timeout=patience) as session:

        async def read(path: str) -> str:
            try:
                async with session.get(path) as response:
                    if response.status != 503:
                        return str(response.status)
                    assert response.headers["retry-after"] == "1"
                    return str((await response.json(content_type=None))["type"])
            except TimeoutError:
                return "no answer"

        reads = asyncio.gather(*[read(path) for _ in range(crowd)])
        others = []
        while not reads.done():
            others += [await read(others_path) for others_path in others_paths]
            await asyncio.sleep(0.1)
        return await reads, others


async def test_unresponsive_read_shard_does_not_delay_the_others(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], written: RandomLog, tmp_path: Path
) -> None:
    """If one read shard is unresponsive, reads of the other shard's wallets are not delayed."""
    for number, urls in enumerate(read_shards):
        await project(urls, batches(written.events, number))
    names = [next(name for name in written.wallets if partition_of(name, 2) == shard) for shard in (0, 1)]
    settings = {name: scaled(name) for name in ("in_flight_max", "queue_max", "batch_max")}
    async with SilenceableWay(read_shards[0].service).open() as way:
        settings["read_urls"] = f"{way.url},{read_shards[1].service}"
        settings |= {"event_store_url": event_store.service, "redis_url": "redis://127.0.0.1:1/0"}
        with running_service("wallet_cqrs.query", tmp_path / "log", **settings) as service:
            while not await asyncio.to_thread(service.is_ready):  # noqa: ASYNC110 -- polls a process while the proxy runs
                await asyncio.sleep(0.1)
            way.silence(for_good=True)
            others = await statuses_of_others(service.public_url, *names)
            service.kill()
    assert others == [200] * len(others)


async def statuses_of_others(url: str, silent: str, other: str) -> list[int]:
    """Returns the other shard's statuses in 4 s, while 100 reads a second wait for the unresponsive shard."""
    statuses: list[int] = []
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def read(account: str) -> int:
            async with session.get(f"/wallets/{account}/balance") as response:
                return response.status

        waiting = []
        for _ in range(40):
            waiting += [asyncio.create_task(read(silent)) for _ in range(10)]
            statuses.append(await read(other))
            await asyncio.sleep(0.1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return statuses
