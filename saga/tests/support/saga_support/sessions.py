"""The session of a shard's writer."""

import asyncpg


async def end_session_of_writer(url: str) -> None:
    """Ends the session that holds the writer's lock in the database of this URL, as a failover does."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2"
        )
    finally:
        await connection.close()
