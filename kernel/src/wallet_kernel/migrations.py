"""Alembic's environment, and helpers for versions that only run .sql files."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import asyncpg
from alembic import context, op
from pydantic import Field, SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine

from wallet_kernel.database import connect
from wallet_kernel.runtime.settings import Settings
from wallet_kernel.slots import SLOTS
from wallet_kernel.topology import Placement


class MigrationSettings(Settings):
    """The settings of a migration."""

    database_url: SecretStr = Field(description="The database, as the role wallet_owner.")


class ShardMigrationSettings(MigrationSettings):
    """The settings of a shard's migrations. Only these settings choose the topology."""

    shard: int = Field(description="The number of the database's shard.")
    shards: int = Field(
        ge=1, le=SLOTS, description="The number of shards; it cannot change after the first migration."
    )

    @property
    def placement(self) -> Placement:
        """The shard that the database is, or becomes with its first migration."""
        return Placement.even(self.shard, self.shards)


Fill = Callable[[asyncpg.Connection], Awaitable[None]]
"""Writes rows that belong to the schema."""


def migrate(fill: Fill | None = None) -> None:
    """Upgrades the schema and fills it in one transaction, under a lock that prevents concurrent migrations."""
    asyncio.run(_run(fill))


def execute(file: Path) -> None:
    """Runs a version's SQL file. Calls the driver directly, because the file holds many statements."""
    _driver(op.get_bind()).run_async(lambda driver: driver.execute(file.read_text()))


def option(path: Path) -> str:
    """A path as a value in Alembic's configuration, where a percent sign begins a reference."""
    return str(path).replace("%", "%%")


async def _run(fill: Fill | None) -> None:
    connecting = partial(connect, MigrationSettings().database_url.get_secret_value())
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connecting)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate, fill)
        await connection.commit()
    await engine.dispose()


def _migrate(connection: Connection, fill: Fill | None) -> None:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(2)"))
        context.run_migrations()
        if fill is not None:
            _driver(connection).run_async(fill)


def _driver(connection: Connection) -> DBAPIConnection:
    driver = connection.connection.dbapi_connection
    assert driver is not None, "migrations run on a live connection"
    return driver
