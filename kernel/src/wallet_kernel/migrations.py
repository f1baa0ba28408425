"""How a schema comes to be: Alembic's environment, and versions that are thin around .sql files."""

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
    """What a migration is told."""

    database_url: SecretStr = Field(description="The database, as the role wallet_owner.")


class ShardMigrationSettings(MigrationSettings):
    """The settings of a shard's migrations: the only place where the topology is chosen."""

    shard: int = Field(description="The number of the database's shard.")
    shards: int = Field(
        ge=1, le=SLOTS, description="How many shards there are; fixed once the database has it."
    )

    @property
    def placement(self) -> Placement:
        """What the database is, or is to become."""
        return Placement.even(self.shard, self.shards)


Fill = Callable[[asyncpg.Connection], Awaitable[None]]
"""Writes rows that belong to the schema."""


def migrate(fill: Fill | None = None) -> None:
    """Upgrades the schema and fills it, in one transaction with one lock, so that two migrations cannot run at once."""
    asyncio.run(_run(fill))


def execute(file: Path) -> None:
    """Runs a version's SQL. The driver is called directly because the file holds many statements."""
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
