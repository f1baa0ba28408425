"""The servers that tests of other packages use."""

import asyncio
from pathlib import Path

import pytest

from wallet_lab.errors import LabError
from wallet_lab.testing import PostgresServer, RunningStack

FAKES = Path(__file__).parent / "fakes"

pytestmark = pytest.mark.slow


def test_a_stack_can_be_asked_inside_an_asynchronous_test(stack: RunningStack) -> None:
    """Inside a running event loop, the blocking calls of a stack still work."""

    async def ask() -> list[bool]:
        stack.wait_ready()
        return [component.healthy for component in stack.components]

    assert all(asyncio.run(ask()))


def test_a_database_is_migrated_as_by_up(
    database_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations run as the owner; if they fail, the error quotes their output."""
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
    database_server.migrate("wallet_saga.migrations")
    with pytest.raises(LabError, match="No module named"):
        database_server.migrate("wallet_saga.no_such_migrations")
