"""Copies the relations of an architecture from its running databases into the evidence."""

import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import duckdb

from wallet_lab.checker.evidence import insert, insert_csv
from wallet_lab.checker.schema import DURABILITY, RELATIONS
from wallet_lab.errors import LabError
from wallet_lab.stack.running import RunningStack

_BY_NAME = {relation.name: relation for relation in RELATIONS}
_SETTINGS = {"application_name": "wallet-checker", "work_mem": "64MB", "jit": "off"}

NO_TIME_US = 9_000_000_000_000_000_000
"""A time that is no number (infinity) becomes this one. No rule accepts it, and the rules can add to it."""
# Times as microseconds, exactly.
_FUNCTIONS = """
CREATE FUNCTION pg_temp.us(moment timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN moment IS NULL THEN NULL WHEN isfinite(moment) THEN (extract(epoch FROM moment) * 1000000)::bigint
                ELSE {no_time} END
$$;
CREATE FUNCTION pg_temp.shard() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT {shard}::bigint $$;
CREATE FUNCTION pg_temp.name() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '{name}'::text $$;
"""

_DURABILITY = """
SELECT 'postgres', '{name}', 'server', name, setting FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'wal_level')
UNION ALL
SELECT 'postgres', '{name}', concat_ws(' ', 'database ' || d.datname, 'role ' || r.rolname), split_part(s.word, '=', 1),
       split_part(s.word, '=', 2)
FROM pg_db_role_setting JOIN LATERAL unnest(setconfig) AS s(word) ON true
LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_roles r ON r.oid = setrole
UNION ALL
SELECT 'postgres', '{name}', 'server', 'unlogged tables', count(*)::text FROM pg_class WHERE relpersistence = 'u'
"""
_SESSION = "SHOW synchronous_commit"


class Database(NamedTuple):
    """One database to read, and its shard's number (None: it holds all shards)."""

    name: str
    url: str
    """As the owner of the database."""
    service_url: str
    """With the rights of the services."""
    shard: int | None


def database(stack: RunningStack, component: str, shard: int | None) -> Database:
    """Return the database of a component."""
    return Database(
        component, stack.client_url(component), stack.client_url(component, "wallet_service"), shard
    )


def sections(text: str) -> dict[str, str]:
    """Split a file of queries at its headings `-- relation: NAME`; returns each relation's query."""
    _, *parts = text.split("-- relation: ")
    return {name: sql for name, _, sql in (part.partition("\n") for part in parts)}


async def copy_database(
    evidence: duckdb.DuckDBPyConnection, database: Database, queries: Mapping[str, str]
) -> None:
    """Add the rows of these queries to the relations, all from one moment of the database.

    Raises:
        LabError: a row has a value that its column cannot have, such as a document that is not JSON.
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: the database does not answer.
    """
    shard = "NULL" if database.shard is None else str(database.shard)
    async with _connected(database.url) as connection, connection.transaction(isolation="repeatable_read"):
        await connection.execute(_FUNCTIONS.format(shard=shard, name=database.name, no_time=NO_TIME_US))
        for name, sql in queries.items():
            await _copy(evidence, connection, name, sql)


async def copy_durability(evidence: duckdb.DuckDBPyConnection, database: Database) -> None:
    """Add the settings of a server, and of a session of the services, on which the survival of a commit depends."""
    async with _connected(database.url) as connection:
        await _copy(evidence, connection, DURABILITY.name, _DURABILITY.format(name=database.name))
    async with _connected(database.service_url) as connection:
        seen = await connection.fetchval(_SESSION)
    row = ("postgres", database.name, "session of the services", "synchronous_commit", seen)
    insert(evidence, DURABILITY, [row])


def add(evidence: duckdb.DuckDBPyConnection, relation: str, rows: Iterable[Sequence[object]]) -> None:
    """Add rows to a relation. The columns are those of the relation, in order."""
    insert(evidence, _BY_NAME[relation], rows)


def now_us() -> int:
    """Return this machine's time in microseconds since 1970."""
    return time.time_ns() // 1000


async def _copy(
    evidence: duckdb.DuckDBPyConnection, connection: asyncpg.Connection, name: str, sql: str
) -> None:
    try:
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            await connection.copy_from_query(sql.strip(), output=file.name, format="csv", null="\\N")
            insert_csv(evidence, _BY_NAME[name], Path(file.name))
    except (asyncpg.DataError, duckdb.Error) as error:
        # The services write no such rows.
        raise LabError(f"the books have a row of {name} that cannot be read: {error}") from None


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, server_settings=_SETTINGS)
    try:
        yield connection
    finally:
        await connection.close()
