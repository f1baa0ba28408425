"""Balance streams on a real Redis and read model: lost announcements, and the maximum number of streams."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
from cqrs_support.histories import RandomLog, batches, project
from cqrs_support.reading import just_read, read_shard
from cqrs_support.replicas import query
from cqrs_support.waiting import until
from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, cache_key, channel
from wallet_cqrs.domain.commands import Deposit, OpenWallet
from wallet_cqrs.query.balance_reader import BalanceReader
from wallet_cqrs.query.checkpoint_news import follow_checkpoint
from wallet_cqrs.query.read_shard import open_read_pool
from wallet_cqrs.query.stream_route import BalanceStreams
from wallet_cqrs.query.streams import Announcements, Heartbeats
from wallet_cqrs.read_model import Checkpoint
from wallet_kernel.batcher import QueueFull
from wallet_kernel.http import Scope
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_lab.testing import DatabaseUrls, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STREAMS_MAX = 2
HEARTBEAT_S = 1.0


class Viewer:
    """A client of one stream, with the messages it received."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = b""
        self.ended = False

    async def send(self, message: Scope) -> None:
        """Implements ASGI's send."""
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        self.ended = self.status is not None and not message.get("more_body", True)

    async def receive(self) -> Scope:
        """Implements ASGI's receive for a client that stays connected and sends nothing."""
        await asyncio.Event().wait()
        raise AssertionError


class Bench:
    """Streams over one read shard, and a projection that writes it."""

    def __init__(
        self, streams: BalanceStreams, shard: DatabaseUrls, redis: "Redis", lifecycle: Lifecycle
    ) -> None:
        self._streams = streams
        self.shard = shard
        self.lifecycle = lifecycle
        self._announced = CacheWriter(redis, 60, announce=True)
        self.written = RandomLog()
        self.written.do(OpenWallet("alice", 1, "USD"))
        self.written.do(OpenWallet("bob", 1, "USD"))

    @contextmanager
    def viewing(self, account: str, method: str = "GET") -> Iterator[Viewer]:
        """Opens the stream of this wallet while the context is open."""
        viewer = Viewer()
        scope = {
            "type": "http",
            "method": method,
            "asgi": {"spec_version": "2.4"},
            "path": f"/wallets/{account}/balance/stream",
            "path_params": {"accountId": account},
            "query_string": b"",
            "headers": [],
        }
        serving = asyncio.ensure_future(self._streams(scope, viewer.receive, viewer.send))
        try:
            yield viewer
        finally:
            serving.cancel()

    async def show(self) -> None:
        """Applies the log to the read model and announces the changes, as the projection does."""
        await project(self.shard, batches(self.written.events, 0, 1))
        checkpoint = Checkpoint(len(self.written.events))
        await self._announced.write(just_read(wallet, checkpoint) for wallet in self.written.wallets.values())


@pytest.fixture
async def bench(redis_server: RedisServer, read_shards: list[DatabaseUrls]) -> AsyncIterator[Bench]:
    """Streams, and two wallets of 1 micro each."""
    async with AsyncExitStack() as opened:
        redis = await opened.enter_async_context(Redis.from_url(redis_server.url))
        await redis.flushall()
        pool = await opened.enter_async_context(open_read_pool(read_shards[0].service))
        shard = read_shard(0, pool)
        balances = BalanceReader(
            redis,
            [shard],
            cache_ttl_s=60,
            cache_timeout_s=0.2,
            batch_max=100,
            queue_max=1000,
        )
        announcements = Announcements(redis)
        lifecycle = Lifecycle(100)
        heartbeats = Heartbeats(HEARTBEAT_S, lifecycle)
        following = follow_checkpoint(read_shards[0].service, shard)
        tasks = [asyncio.create_task(work) for work in (announcements.run(), heartbeats.run(), following)]
        streams = BalanceStreams(balances, announcements, heartbeats, STREAMS_MAX)
        made = Bench(streams, read_shards[0], redis, lifecycle)
        await made.show()
        yield made
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_change_before_the_subscription_is_shown(bench: Bench) -> None:
    """A change before Redis has the subscription is shown, because the stream reads once more afterwards."""
    with bench.viewing("bob") as other:
        await until(lambda: b'"balance":0.000001,' in other.body, 5, "bob's stream has begun")
        await asyncio.sleep(0.3)
        with bench.viewing("alice") as viewer:
            await until(lambda: b'"balance":0.000001,' in viewer.body, 5, "alice's stream has begun")
            bench.written.do(Deposit("alice", 1, "USD"))
            await bench.show()
            await until(lambda: b'"balance":0.000002,' in viewer.body, 5, "the deposit is shown")


async def test_concurrent_new_streams_count_against_the_maximum(bench: Bench) -> None:
    """If many streams begin at the same time, at most the maximum is served. A closed stream frees its place."""
    with contextlib.ExitStack() as opened:
        viewers = [opened.enter_context(bench.viewing("alice")) for _ in range(10)]
        await until(lambda: all(viewer.status for viewer in viewers), 5, "all have an answer")
        assert sorted(viewer.status or 0 for viewer in viewers) == [200] * STREAMS_MAX + [503] * 8
    await asyncio.sleep(0.1)
    with bench.viewing("alice") as later:
        await until(lambda: later.status is not None, 5, "the next one has an answer")
        assert later.status == 200


async def test_idle_stream_sends_heartbeats_without_reading(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle stream sends heartbeats without reading, because the read model has not advanced."""
    looks = AsyncMock(wraps=BalanceReader.fresh)
    with bench.viewing("alice") as viewer:
        await until(lambda: viewer.body.count(b": alive") == 1, 5, "the first heartbeat")
        monkeypatch.setattr(BalanceReader, "fresh", looks)
        await until(lambda: viewer.body.count(b": alive") == 4, 10, "three more heartbeats")
    assert looks.await_count == 0


async def test_a_change_that_was_not_announced_is_shown_with_a_heartbeat(bench: Bench) -> None:
    """If an announcement is lost, the change is shown with the next heartbeat."""
    with bench.viewing("alice") as viewer:
        await until(lambda: b": alive" in viewer.body, 5, "the stream is idle")
        bench.written.do(Deposit("alice", 1, "USD"))
        await project(bench.shard, batches(bench.written.events, 0, 1))
        await until(lambda: b'"balance":0.000002,' in viewer.body, 10, "the deposit is shown")


async def test_stream_continues_while_too_many_reads_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a stream cannot read the balance because the queue of reads is full, it reads with the next heartbeat."""
    with bench.viewing("alice") as viewer:
        await until(lambda: b": alive" in viewer.body, 5, "the stream is idle")
        full = AsyncMock(side_effect=QueueFull)
        with monkeypatch.context() as patched:
            patched.setattr(BalanceReader, "fresh", full)
            bench.written.do(Deposit("alice", 1, "USD"))
            await project(bench.shard, batches(bench.written.events, 0, 1))
            await until(lambda: full.await_count > 0, 10, "the stream has tried to read")
        await until(lambda: b'"balance":0.000002,' in viewer.body, 10, "the deposit is shown")


async def test_stream_ignores_an_announcement_that_is_no_entry(
    bench: Bench, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a foreign client announces something else, streams ignore it and show the next change."""
    with bench.viewing("alice") as viewer:
        await until(lambda: b": alive" in viewer.body, 5, "the stream is idle")
        async with Redis.from_url(redis_server.url) as foreign:
            monkeypatch.setattr(
                BalanceReader, "fresh", AsyncMock(return_value=None)
            )  # only announcements count
            await foreign.publish(channel("alice"), "no entry")
            await foreign.set(cache_key("alice"), "no entry")
        bench.written.do(Deposit("alice", 1, "USD"))
        await bench.show()
        await until(lambda: b'"balance":0.000002,' in viewer.body, 5, "the deposit is shown")


async def test_stream_shows_another_balance_of_the_same_version_after_a_restore(bench: Bench) -> None:
    """If the restored log grows to the same version with another balance, an open stream shows that balance."""
    regrown = RandomLog()
    regrown.do(OpenWallet("alice", 7, "USD"))
    with bench.viewing("alice") as viewer:
        await until(lambda: b": alive" in viewer.body, 5, "the stream is idle")
        await bench._announced.write([just_read(regrown.wallet("alice"), Checkpoint(1, uuid4()))])
        await until(lambda: b'"balance":0.000007,' in viewer.body, 5, "the new balance is shown")


async def test_stream_shows_a_rebuilt_balance_if_the_restored_log_regrew_to_the_same_position(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a rebuild changes a balance at the same position of another epoch, an open stream shows the new balance."""
    monkeypatch.setattr("wallet_cqrs.query.checkpoint_news.LOOK_S", 0.2)
    with bench.viewing("alice") as viewer:
        await until(lambda: b": alive" in viewer.body, 5, "the stream is idle")
        await query(
            bench.shard.owner,
            """WITH rebuilt AS (UPDATE read_model.wallets SET balance_micros = 7 WHERE account_id = 'alice')
            UPDATE read_model.checkpoint SET epoch = gen_random_uuid()""",
        )
        await until(lambda: b'"balance":0.000007,' in viewer.body, 10, "the new balance is shown")


async def test_streams_end_when_the_service_drains(bench: Bench) -> None:
    """When the service drains, an idle stream ends with the next tick of the shared timer."""
    with bench.viewing("alice") as viewer:
        await until(lambda: b'"balance"' in viewer.body, 5, "alice's stream has begun")
        bench.lifecycle.draining = True
        await until(lambda: viewer.ended, 5, "the stream has ended")


async def test_head_opens_no_stream(bench: Bench) -> None:
    """HEAD gets the head of a stream without a body, and opens no stream."""
    with contextlib.ExitStack() as opened:
        viewers = [opened.enter_context(bench.viewing("alice", "HEAD")) for _ in range(10)]
        await until(lambda: all(viewer.ended for viewer in viewers), 5, "all answers have ended")
        assert [(viewer.status, viewer.body) for viewer in viewers] == [(200, b"")] * 10
