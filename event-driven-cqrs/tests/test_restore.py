"""An event store that lost its last events, by a restored backup or by the promotion of a lagging standby."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from cqrs_support.reading import read_shard
from cqrs_support.replicas import Replica, assert_log_is_whole, opening, query, replica, transfer
from msgspec.structs import replace
from redis.asyncio import Redis

from wallet_cqrs.domain.submissions import Decided, NotDone, Submission, Unknown
from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import EventBatch
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.projection.projector import Poison, Projector
from wallet_cqrs.projection.store import Store
from wallet_cqrs.query.read_shard import open_read_pool
from wallet_kernel.contract.problems import Problem
from wallet_kernel.refusals import Refusal
from wallet_lab.testing import DatabaseUrls, PostgresServer, RedisServer, migrated_postgres

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@dataclass
class EventStore:
    """An event store with files that can be saved and restored."""

    server: PostgresServer
    saved: Path

    @property
    def urls(self) -> DatabaseUrls:
        """The URLs of its database."""
        return DatabaseUrls(owner=self.server.owner_url, service=self.server.service_url)

    def save(self) -> None:
        """Takes a backup."""
        self.server.stop()
        _copy(self._data, self.saved)
        self.server.start()

    def restore(self) -> None:
        """Restores the backup without stopping the services."""
        self.server.stop()
        _copy(self.saved, self._data)
        self.server.start()

    def fail_over(self) -> None:
        """Promotes a standby with the backup's events at the address of the primary."""
        self.server.stop()
        _copy(self.saved, self._data)
        (self._data / "standby.signal").touch()
        self.server.start()
        self.server._as_admin("SELECT pg_promote()")

    @property
    def _data(self) -> Path:
        data = self.server._component.data_dir
        assert data is not None
        return data


def _copy(source: Path, target: Path) -> None:
    """Copies files with owners and modes, because Postgres does not start without them."""
    subprocess.run(["rm", "-rf", str(target)], check=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A cluster for this module."""
    with migrated_postgres("wallet_cqrs.migrations", "events", shards=2) as made:
        yield made


@pytest.fixture(params=["restore", "fail_over"])
def lose(request: pytest.FixtureRequest) -> str:
    """How the log loses its last events: a restored backup or a promoted standby."""
    return str(request.param)


@asynccontextmanager
async def projectors(
    event_store: DatabaseUrls, shards: Sequence[DatabaseUrls], redis_server: RedisServer
) -> AsyncIterator[list[Projector]]:
    """The projectors of both partitions."""
    async with AsyncExitStack() as opened:
        log = EventLog(await opened.enter_async_context(open_pool(event_store.service, "test")))
        redis = await opened.enter_async_context(Redis.from_url(redis_server.url))
        stores = [await opened.enter_async_context(Store(shard.service)) for shard in shards]
        yield [
            Projector(n, 2, store, log, BalanceCache(redis, 60, 1), chunk_max=10, wallets_max=100)
            for n, store in enumerate(stores)
        ]


async def heartbeat(event_store: DatabaseUrls) -> EventBatch:
    """Returns the relay's heartbeat for an idle log."""
    (epoch, head) = (await query(event_store.service, "SELECT epoch, position FROM continue_log()"))[0]
    return EventBatch(head, head, [], epoch)


async def decided(one: Replica, item: Submission) -> Decided:
    """Returns the command's decision. Retries while it is not done or unknown, as the service does."""
    for _ in range(5):
        outcome = await one.perform(item)
        if isinstance(outcome, Decided):
            return outcome
        assert isinstance(outcome, NotDone | Unknown)
        if isinstance(outcome, Unknown):
            item = replace(item, resent=True)
    raise AssertionError("never decided")


def maintain(event_store: DatabaseUrls, shards: Sequence[DatabaseUrls], *arguments: str) -> tuple[int, str]:
    """Runs `python -m wallet_cqrs.rebuild`; returns its exit code and output."""
    env = {
        **os.environ,
        "WALLET_EVENT_STORE_URL": event_store.service,
        "WALLET_READ_URLS": ",".join(shard.owner for shard in shards),
    }
    argv = [sys.executable, "-P", "-m", "wallet_cqrs.rebuild", *arguments]
    done = subprocess.run(argv, env=env, text=True, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_services_notice_that_the_log_lost_its_end(
    server: PostgresServer,
    read_shards: list[DatabaseUrls],
    redis_server: RedisServer,
    lose: str,
    tmp_path: Path,
) -> None:
    """After a loss, replicas decide on the restored log, and read models with lost events stop."""
    store = EventStore(server, tmp_path / "backup")
    names = [f"{name}-{lose}" for name in ("alice", "bob", *"abcdefgh")]
    alice, bob, *others = names
    async with replica(store.urls.service) as stale, replica(store.urls.service) as other:
        await stale.perform_all([opening(alice, 100), opening(bob)])
        await decided(stale, transfer(alice, bob, 10))
        store.save()
        await decided(stale, transfer(alice, bob, 90))
        async with projectors(store.urls, read_shards, redis_server) as projecting:
            old = await heartbeat(store.urls)
            for projector in projecting:
                await projector.project([old])
            getattr(store, lose)()
            for name in others:
                await decided(other, opening(name))
            refused = await decided(stale, transfer(bob, alice, 50))
            assert refused.reason is Refusal.INSUFFICIENT_FUNDS
            head = await assert_log_is_whole(store.urls.owner)
            assert head > old.head, "the log grew past the read models"
            await _assert_stopped(projecting, store.urls, read_shards)
    code, text = maintain(store.urls, read_shards, "--verify")
    assert (code, "was restored" in text) == (1, True), text
    code, text = maintain(store.urls, read_shards)
    assert (code, "replaced" in text) == (0, True), text
    code, text = maintain(store.urls, read_shards, "--verify")
    assert code == 0, text
    async with projectors(store.urls, read_shards, redis_server) as projecting:
        for projector in projecting:  # a message of the lost epoch that is still in the queue
            await projector.project([EventBatch(0, old.head + 100, [], old.epoch)])
            assert (await projector._store.progress())[0] == head


async def _assert_stopped(
    projecting: list[Projector], event_store: DatabaseUrls, shards: list[DatabaseUrls]
) -> None:
    """Asserts that both partitions are stopped and reject reads."""
    for number, (projector, shard) in enumerate(zip(projecting, shards, strict=True)):
        with pytest.raises(Poison, match="was restored"):
            await projector.project([await heartbeat(event_store)])
        async with open_read_pool(shard.service) as pool:
            with pytest.raises(Problem, match="rebuilt"):
                await read_shard(number, pool).balance("anyone")


async def test_read_models_continue_after_a_restart_without_loss(
    server: PostgresServer, read_shards: list[DatabaseUrls], redis_server: RedisServer
) -> None:
    """After a restart without loss, read models continue in the new epoch."""
    urls = DatabaseUrls(owner=server.owner_url, service=server.service_url)
    async with replica(urls.service) as one, projectors(urls, read_shards, redis_server) as projecting:
        await decided(one, opening("before-the-restart"))
        for projector in projecting:
            await projector.project([await heartbeat(urls)])
        epochs: list[UUID | None] = [(await heartbeat(urls)).epoch]
        server.stop()
        server.start()
        await decided(one, opening("after-the-restart"))
        now = await heartbeat(urls)
        for projector in projecting:
            await projector.project([now])
            assert await projector._store.checkpoint() == (now.head, now.epoch)
    assert now.epoch not in epochs
    code, text = maintain(urls, read_shards, "--verify")
    assert code == 0, text
