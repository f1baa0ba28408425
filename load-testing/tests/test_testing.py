"""The servers that tests of other packages use."""

import asyncio
from pathlib import Path

import asyncpg
import psutil
import pytest

from wallet_lab.errors import LabError
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.testing import PostgresServer, RunningStack, migrated_postgres, running_stack
from wallet_lab.testing.migrated import PREPARED, prepare

FAKES = Path(__file__).parent / "fakes"

pytestmark = pytest.mark.slow


def test_stack_can_be_used_in_an_asynchronous_test(stack: RunningStack) -> None:
    """Inside a running event loop, the blocking calls of a stack still work."""

    async def ask() -> list[bool]:
        stack.wait_ready()
        return [component.healthy for component in stack.components]

    assert all(asyncio.run(ask()))


def test_database_of_a_test_is_migrated_as_its_owner(
    database_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations run as the owner; if they fail, the error quotes their output."""
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
    database_server.migrate("wallet_saga.migrations")
    with pytest.raises(LabError, match="No module named"):
        database_server.migrate("wallet_saga.no_such_migrations")


async def execute(url: str, sql: str) -> None:
    """Execute one statement."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def test_prepared_cluster_is_copied_instead_of_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters with prepared migrations are separate copies with the schema; others are migrated."""
    migrated: list[str] = []

    def migrate(server: PostgresServer, module: str, *arguments: str, shards: int) -> None:
        migrated.append(" ".join((module, *arguments, str(shards))))
        asyncio.run(execute(server.owner_url, "CREATE TABLE schema ()"))

    monkeypatch.setattr(PostgresServer, "migrate", migrate)
    with temporary_home(None) as folder:
        prepare(folder, "migrations", "events", shards=2)
        monkeypatch.setenv(PREPARED, str(folder))
        with (
            migrated_postgres("migrations", "events", shards=2) as one,
            migrated_postgres("migrations", "events", shards=2) as other,
        ):
            assert migrated == ["migrations events 2"]
            asyncio.run(execute(one.owner_url, "DROP TABLE schema"))
            asyncio.run(execute(other.copy_database().owner, "SELECT FROM schema"))
        with migrated_postgres("migrations", "events") as unprepared:
            assert migrated == ["migrations events 2", "migrations events 1"]
            asyncio.run(execute(unprepared.owner_url, "SELECT FROM schema"))


def test_discarded_stack_leaves_no_process(fakes_env: dict[str, dict[str, str]]) -> None:
    """A discarded stack has no process any more, and its home is removed."""
    with running_stack("saga", extra_env=fakes_env, shards=1) as stack:
        components = [psutil.Process(pid) for pid in stack.pids.values()]
        stack.discard()
        left = [each for each in components if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
        assert left == []
    assert not stack.home.exists()
