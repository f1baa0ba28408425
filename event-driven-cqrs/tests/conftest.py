"""Servers for the tests of this member: one of each per session, with fresh databases for every test."""

from collections.abc import AsyncIterator, Iterator

import pytest
from cqrs_support.projecting import Bench, bench
from cqrs_support.replicas import query

from wallet_lab.blocking import run_blocking
from wallet_lab.testing import (
    DatabaseUrls,
    PostgresServer,
    RabbitServer,
    RedisServer,
    migrated_postgres,
    running_rabbitmq,
    running_redis,
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A cluster whose database `wallet` is an empty event store."""
    with migrated_postgres("wallet_cqrs.migrations", "events", shards=2) as server:
        yield server


@pytest.fixture
def event_store(postgres: PostgresServer) -> DatabaseUrls:
    """An empty event store for one test."""
    return postgres.copy_database()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture(scope="session")
def read_postgres() -> Iterator[PostgresServer]:
    """A cluster whose database `wallet` is an empty read shard, the first of two."""
    with migrated_postgres("wallet_cqrs.migrations", "read", shards=2) as server:
        yield server


@pytest.fixture
def read_shards(read_postgres: PostgresServer) -> list[DatabaseUrls]:
    """Two empty read shards for one test."""
    first, second = read_postgres.copy_database(), read_postgres.copy_database()
    run_blocking(query(second.owner, "UPDATE topology SET shard = 1"))
    return [first, second]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server. Tests use their own wallets, or flush it."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitServer]:
    """A RabbitMQ node. Tests purge its queues."""
    with running_rabbitmq() as server:
        yield server


@pytest.fixture
async def a_bench(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], redis_server: RedisServer
) -> AsyncIterator[Bench]:
    """The projector of partition 0."""
    async with bench(event_store, read_shards[0], redis_server) as made:
        yield made
