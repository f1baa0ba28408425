"""Fixtures of the saga's tests: a migrated database, and the worker's parts on it."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import asyncpg
import pytest
from redis.asyncio import Redis
from saga_support.scene import ONE_SHARD

from wallet_lab.testing import DatabaseUrls, PostgresServer, RunningStack, migrated_postgres, running_stack
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.store import Store


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Runs tests marked `anyio` on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture(scope="session")
def two_shards() -> Iterator[RunningStack]:
    """A saga stack of two shards with the default settings."""
    with running_stack("saga") as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The cluster with a migrated template."""
    with migrated_postgres("wallet_saga.migrations") as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> DatabaseUrls:
    """A shard's database for one test, with the schema and without rows."""
    return postgres.copy_database()


@pytest.fixture
async def owner(database: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the database's owner."""
    connection = await asyncpg.connect(database.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def store(database: DatabaseUrls) -> AsyncIterator[Store]:
    """The shard's store, with a saga lease of a minute."""
    async with Store(database.service, timedelta(minutes=1), ONE_SHARD) as opened:
        yield opened


@pytest.fixture(scope="session")
def no_cache() -> BalanceCache:
    """A cache whose Redis never answers and whose leases have expired, so that the worker works without Redis."""
    return BalanceCache(Redis(host="127.0.0.1", port=1), lease_s=-1.0, timeout_s=0.1)


@pytest.fixture
def writer(store: Store, no_cache: BalanceCache) -> BatchWriter:
    """The shard's writer on that store, without Redis."""
    return BatchWriter(store, no_cache, batch_max=1000, queue_max=20_000)
