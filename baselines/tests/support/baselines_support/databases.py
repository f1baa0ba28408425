"""Databases that tests share, because a copy for each test would take most of the suite's time."""

import asyncpg

TABLES = ("wallets", "ledger", "transfers", "system_accounts", "decisions")
IMMUTABLE = ("ledger", "transfers", "decisions")


async def empty(owner_url: str) -> None:
    """Deletes all rows except the topology."""
    connection = await asyncpg.connect(owner_url)
    triggers = [f"ALTER TABLE {table} {{}} TRIGGER USER" for table in IMMUTABLE]
    for statement in (
        *(trigger.format("DISABLE") for trigger in triggers),
        f"TRUNCATE {', '.join(TABLES)}",
        *(trigger.format("ENABLE") for trigger in triggers),
    ):
        await connection.execute(statement)
    await connection.close()
