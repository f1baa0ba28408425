"""Servers for the tests of this member: one Postgres a session, a fresh event store a test."""

from collections.abc import Iterator

import pytest

from wallet_lab.testing import DatabaseUrls, PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A cluster whose database `wallet` is an empty event store."""
    with running_postgres() as server:
        server.migrate("wallet_cqrs.migrations", "events")
        yield server


@pytest.fixture
def event_store(postgres: PostgresServer) -> DatabaseUrls:
    """An event store of the test's own, empty."""
    return postgres.copy_database()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the services do."""
    return "asyncio"
