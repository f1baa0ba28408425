"""Fixtures of the baselines' tests: databases with the schema and without rows."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from baselines_support.databases import empty

from wallet_baselines.acid.wallets import AcidWallets
from wallet_baselines.settings import AcidSettings
from wallet_baselines.store import ONE_SHARD
from wallet_kernel.topology import Topology
from wallet_lab.testing import DatabaseUrls, PostgresServer, running_postgres


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Runs tests marked `anyio` on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A cluster that allows prepared transactions, with the schema in its template."""
    with running_postgres(prepared_transactions_max=64) as server:
        server.migrate("wallet_baselines.migrations")
        yield server
        server.kill()  # because a graceful stop would first write every database to disk


@pytest.fixture(scope="session")
def one_database(postgres: PostgresServer) -> DatabaseUrls:
    """The database of all tests with one database."""
    return postgres.copy_database()


@pytest.fixture(scope="session")
async def two_databases(postgres: PostgresServer, anyio_backend: str) -> tuple[DatabaseUrls, DatabaseUrls]:
    """The databases of all tests with two shards."""
    shards = postgres.copy_database(), postgres.copy_database()
    for number, urls in enumerate(shards):
        connection = await asyncpg.connect(urls.owner)
        owners = Topology.even(2).owners
        await connection.execute("UPDATE topology SET shard = $1, shards = 2, owners = $2", number, owners)
        await connection.close()
    return shards


@pytest.fixture
async def database(one_database: DatabaseUrls) -> DatabaseUrls:
    """The one database, without rows."""
    await empty(one_database.owner)
    return one_database


@pytest.fixture
async def databases(two_databases: tuple[DatabaseUrls, DatabaseUrls]) -> tuple[DatabaseUrls, DatabaseUrls]:
    """The two shards, without rows."""
    for urls in two_databases:
        await empty(urls.owner)
    return two_databases


@pytest.fixture
def settings(database: DatabaseUrls) -> AcidSettings:
    """The default settings on the one database."""
    return AcidSettings(port=0, service_secret="0123456789abcdef", database_url=database.service)


@pytest.fixture
async def acid(settings: AcidSettings) -> AsyncIterator[AcidWallets]:
    """The use cases of acid on the one database."""
    async with AcidWallets(settings.url, ONE_SHARD, settings) as wallets:
        yield wallets
