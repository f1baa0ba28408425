"""How a schema comes to be: Alembic's environment, and versions that are thin around .sql files."""

import asyncio
from functools import partial
from pathlib import Path

from alembic import context, op
from pydantic import Field, SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from wallet_kernel.database import connect
from wallet_kernel.runtime.settings import Settings


class MigrationSettings(Settings):
    """What a migration is told."""

    database_url: SecretStr = Field(description="The database, as the role wallet_owner.")


def migrate() -> None:
    """One connection, one transaction, one lock, so that two migrations cannot run at once."""
    asyncio.run(_run())


def execute(file: Path) -> None:
    """Runs a version's SQL. The driver is called directly because the file holds many statements."""
    connection = op.get_bind().connection.dbapi_connection
    assert connection is not None, "migrations run on a live connection"
    connection.run_async(lambda driver: driver.execute(file.read_text()))


async def _run() -> None:
    connecting = partial(connect, MigrationSettings().database_url.get_secret_value())
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connecting)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(2)"))
        context.run_migrations()
