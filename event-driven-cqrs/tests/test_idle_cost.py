"""The idle cost of the query service: readers that wait for a position, and streams without changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from cqrs_support.replicas import query

from wallet_cqrs.messages import partition_of
from wallet_lab.testing import DatabaseUrls, RedisServer, RunningService, running_service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STREAMS = 900
WALLETS = [f"idle-{number}" for number in range(STREAMS)]
SHARD_0 = next(name for name in WALLETS if partition_of(name, 2) == 0)
OPEN = "INSERT INTO read_model.wallets SELECT name, 'USD', 'active', 1, 1, now() FROM unnest($1::text[]) name"
WATCHED_S = 3.0
UNREACHABLE = 10**9


@asynccontextmanager
async def query_service(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], redis: RedisServer, log: Path
) -> AsyncIterator[tuple[RunningService, aiohttp.ClientSession]]:
    """Starts the service on a read model with these wallets, and a client."""
    for number, urls in enumerate(read_shards):
        names = [name for name in WALLETS if partition_of(name, 2) == number]
        await query(urls.owner, OPEN, names)
    settings = {
        "event_store_url": event_store.service,
        "read_urls": ",".join(urls.service for urls in read_shards),
        "redis_url": redis.url,
        "position_timeout_s": str(WATCHED_S),
    }
    with running_service("wallet_cqrs.query", log, **settings) as service:
        await service.until_ready()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(service.public_url, connector=connector) as session:
            yield service, session


def cpu_s(service: RunningService) -> float:
    """Returns the CPU seconds that the service's process has used."""
    used = psutil.Process(service.process.pid).cpu_times()
    return float(used.user + used.system)


async def transactions(shard: DatabaseUrls) -> int:
    """Returns the transactions of this database. Sessions report them within a second."""
    await asyncio.sleep(1.5)
    sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    return int((await query(shard.owner, sql))[0][0])


async def test_readers_that_wait_for_a_position_share_few_reads(
    event_store: DatabaseUrls,
    read_shards: list[DatabaseUrls],
    redis_server: RedisServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All waiting readers share about ten reads of the position per second."""
    async with query_service(event_store, read_shards, redis_server, tmp_path / "log") as (service, user):
        before, used_s = await transactions(read_shards[0]), cpu_s(service)
        path = f"/wallets/{SHARD_0}/balance?min_position={UNREACHABLE}"

        async def status() -> int:
            async with user.get(path) as response:
                return response.status

        statuses = await asyncio.gather(*[status() for _ in range(3)])
        used_s = cpu_s(service) - used_s
        looks = await transactions(read_shards[0]) - before
    with capsys.disabled():
        print(f"\n3 readers wait: {used_s / WATCHED_S:.1%} of a core, {looks} transactions")  # noqa: T201 -- prints the measured figures
    assert statuses == [503, 503, 503]
    assert looks < 40 * WATCHED_S


async def test_idle_streams_cost_little(
    event_store: DatabaseUrls,
    read_shards: list[DatabaseUrls],
    redis_server: RedisServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Idle streams share one timer and read nothing, so they use less than 5 % of a core."""
    async with query_service(event_store, read_shards, redis_server, tmp_path / "log") as (service, user):
        responses = await asyncio.gather(*[user.get(f"/wallets/{name}/balance/stream") for name in WALLETS])
        for response in responses:
            await response.content.readuntil(b"\n\n")
        await asyncio.sleep(1)  # by then Redis has all subscriptions
        used_s = cpu_s(service)
        await asyncio.sleep(WATCHED_S)
        share = (cpu_s(service) - used_s) / WATCHED_S
        for response in responses:
            await response.content.readuntil(b": alive\n\n")
            response.close()
    with capsys.disabled():
        print(f"\n{STREAMS} idle streams: {share:.1%} of a core")  # noqa: T201 -- prints the measured figure
    assert share < 0.05
