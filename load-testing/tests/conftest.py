"""The lab's tests run its real supervisor and real databases; only the wallet's services are fakes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_lab.testing import PostgresServer, RunningStack, running_postgres, running_stack

FAKES = Path(__file__).parent / "fakes"


@pytest.fixture(scope="session")
def fakes_env() -> dict[str, dict[str, str]]:
    """Makes every service a fake."""
    return {"*": {"PYTHONPATH": str(FAKES)}}


@pytest.fixture(scope="module")
def stack(fakes_env: dict[str, dict[str, str]]) -> Iterator[RunningStack]:
    """A stack of two shards, with fake services."""
    with running_stack(extra_env=fakes_env, orchestrators=2) as running:
        yield running


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgresServer]:
    """One Postgres cluster."""
    with running_postgres() as server:
        yield server
