"""What the saga's tests share: a migrated database, and the worker's parts on it."""

import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from saga_support.scene import ONE_SHARD

from wallet_lab.testing import DatabaseUrls, PostgresServer, RunningStack, running_postgres, running_stack
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.shard_writer import ShardWriter
from wallet_saga.worker.store import Store


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture(scope="session")
def two_shards() -> Iterator[RunningStack]:
    """A saga stack of two shards, with the settings that users have."""
    with running_stack("saga") as running:
        yield running


@pytest.fixture(scope="session")
def unmigrated() -> Iterator[PostgresServer]:
    """One cluster as the provisioning leaves it."""
    with running_postgres() as server:
        yield server
        assert server._process is not None
        server._process.send_signal(
            signal.SIGQUIT
        )  # a polite end would first write dozens of databases to disk
        server._process.wait()


@pytest.fixture(scope="session")
def empty_database(unmigrated: PostgresServer) -> DatabaseUrls:
    """A database without a schema."""
    return unmigrated.copy_database()


@pytest.fixture(scope="session")
def postgres(unmigrated: PostgresServer, empty_database: DatabaseUrls) -> PostgresServer:
    """The cluster, its template migrated (the empty copy was made before)."""
    unmigrated.migrate()
    return unmigrated


@pytest.fixture
def database(postgres: PostgresServer) -> DatabaseUrls:
    """A shard's database with its schema and nothing in it, for one test."""
    return postgres.copy_database()


@pytest.fixture
async def store(database: DatabaseUrls) -> AsyncIterator[Store]:
    """The shard's store, with a saga lease of a minute."""
    async with Store(database.service, timedelta(minutes=1), ONE_SHARD) as opened:
        yield opened


@pytest.fixture(scope="session")
def no_cache() -> BalanceCache:
    """A cache whose Redis never answers and whose leases are over: the worker does without it."""
    return BalanceCache(Redis(host="127.0.0.1", port=1), lease_s=-1.0, timeout_s=0.1)


@pytest.fixture
def writer(store: Store, no_cache: BalanceCache) -> ShardWriter:
    """The worker's use case on that store, without the cache."""
    return ShardWriter(store, no_cache, batch_max=1000, queue_max=20_000)
