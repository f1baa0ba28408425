"""Alembic's environment: one connection, one transaction, one lock, so that two migrations cannot run at once."""

import asyncio

from alembic import context
from pydantic import Field, SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from wallet_kernel.runtime.settings import Settings


class MigrationSettings(Settings):
    """What a migration is told."""

    database_url: SecretStr = Field(description="The shard's Postgres, as the role wallet_owner.")


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(2)"))
        context.run_migrations()


async def _run() -> None:
    url = make_url(MigrationSettings().database_url.get_secret_value()).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
