"""Fixtures of the baselines' tests: a migrated database for each test."""

import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from wallet_baselines.acid.wallets import AcidWallets
from wallet_baselines.settings import AcidSettings
from wallet_baselines.store import ONE_SHARD
from wallet_lab.testing import DatabaseUrls, PostgresServer, running_postgres


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Runs tests marked `anyio` on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A cluster whose template is one database for all wallets."""
    with running_postgres() as server:
        server.migrate("wallet_baselines.migrations")
        yield server
        assert server._process is not None
        # Because a graceful stop would first write dozens of databases to disk.
        server._process.send_signal(signal.SIGQUIT)
        server._process.wait()


@pytest.fixture
def database(postgres: PostgresServer) -> DatabaseUrls:
    """A database for one test, with the schema and without rows."""
    return postgres.copy_database()


@pytest.fixture
def settings(database: DatabaseUrls) -> AcidSettings:
    """The default settings on that database."""
    return AcidSettings(port=0, service_secret="0123456789abcdef", database_url=database.service)


@pytest.fixture
async def acid(settings: AcidSettings) -> AsyncIterator[AcidWallets]:
    """The use cases of acid on that database."""
    async with AcidWallets(settings.url, ONE_SHARD, settings) as wallets:
        yield wallets
