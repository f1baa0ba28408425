"""Connections to a database's primary, tested on two servers: one refuses writes, one accepts them."""

import asyncio
import socket
from collections.abc import Iterator

import asyncpg
import pytest

from wallet_kernel.database import (
    CommitUnknown,
    PrimaryConnection,
    ReadOnlyDatabase,
    autocommit,
    commit,
    connect,
    is_of_a_row,
    open_pool,
    read_statement,
    reading,
    require_writable,
    servers,
    session,
    writing,
)
from wallet_lab.testing import PostgresServer, running_postgres

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """Starts two servers with the same roles, passwords and database name."""
    with running_postgres() as first, running_postgres(secrets_of=first) as second:
        yield first, second


@pytest.fixture
def demoted(pair: tuple[PostgresServer, PostgresServer]) -> Iterator[str]:
    """Returns an address with two servers, of which the first refuses writes."""
    pair[0].set_read_only(is_read_only=True)
    yield both(pair)
    pair[0].set_read_only(is_read_only=False)


def both(pair: tuple[PostgresServer, PostgresServer]) -> str:
    """Returns the address of both servers, the first one first."""
    first, second = pair
    return first.owner_url.replace(f":{first.port}/", f":{first.port},127.0.0.1:{second.port}/")


async def port_of(connection: asyncpg.Connection) -> int:
    """Returns the port of a connection's server."""
    return int(await connection.fetchval("SELECT inet_server_port()"))


def test_address_with_several_servers_is_split() -> None:
    """Each server gets the user, the password, the database and the options of the address."""
    assert servers("postgresql://me:a%2Cb@one:5432,[::1]:5433/books?sslmode=disable") == [
        "postgresql://me:a%2Cb@one:5432/books?sslmode=disable",
        "postgresql://me:a%2Cb@[::1]:5433/books?sslmode=disable",
    ]
    assert servers("postgresql://one/books") == ["postgresql://one/books"]


async def test_connect_skips_a_server_that_refuses_writes(
    pair: tuple[PostgresServer, PostgresServer], demoted: str
) -> None:
    """`connect` uses the first server of an address that accepts writes."""
    connection = await connect(demoted)
    assert await port_of(connection) == pair[1].port
    await connection.close()


async def test_connect_skips_a_server_that_does_not_answer(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    """An unresponsive server costs only its share of the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = pair[0].owner_url.replace("@127.0.0.1", f"@127.0.0.1:{port},127.0.0.1")
        connection = await connect(url, timeout_s=2.0)
        assert await port_of(connection) == pair[0].port
        await connection.close()


async def test_connect_raises_a_database_error_if_no_server_takes_writes(
    pair: tuple[PostgresServer, PostgresServer], demoted: str
) -> None:
    """Without a primary, `connect` raises a database error, as in any other outage."""
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await connect(pair[0].owner_url)


async def test_connection_follows_the_primary_after_a_read_only_error(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    """If a server refuses a write, its connection is dropped, and the next use finds the primary."""
    writer = PrimaryConnection(both(pair), {}, statement_timeout_s=5.0)
    async with writer.use() as connection:
        assert await port_of(connection) == pair[0].port
    pair[0].set_read_only(is_read_only=True, ends_sessions=False)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with writer.use() as connection:
            await connection.execute("CREATE TABLE refused ()")
    async with writer.use() as connection:
        assert await port_of(connection) == pair[1].port
        await connection.execute("CREATE TEMPORARY TABLE taken ()")
    await writer.close()
    pair[0].set_read_only(is_read_only=False)


async def test_connection_is_used_again_after_a_failed_transaction(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    """A failed transaction is rolled back, and the next user gets the same connection."""
    writer = PrimaryConnection(pair[0].owner_url, {}, statement_timeout_s=5.0)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with writer.use() as first:
            await first.execute("BEGIN; SELECT FROM nowhere")
    async with writer.use() as second:
        assert second is first
        assert not second.is_in_transaction()
    await writer.close()


async def test_preparation_runs_once_for_each_connection(pair: tuple[PostgresServer, PostgresServer]) -> None:
    """`prepare` runs once for each connection, before its first use."""
    prepared: list[asyncpg.Connection] = []

    async def prepare(connection: asyncpg.Connection) -> None:
        prepared.append(connection)

    writer = PrimaryConnection(pair[0].owner_url, {}, statement_timeout_s=5.0, prepare=prepare)
    for _ in range(2):
        async with writer.use() as connection:
            assert prepared == [connection]
    await writer.close()
    async with writer.use() as connection:
        assert prepared[1:] == [connection]
    await writer.close()


async def test_pool_follows_the_primary_after_a_read_only_error(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    """If a server refuses a write, the pool does not use its connections again."""
    async with open_pool(both(pair), {}, connections_max=2, statement_timeout_s=5.0) as pool:
        async with writing(pool) as connection:
            assert await port_of(connection) == pair[0].port
        pair[0].set_read_only(is_read_only=True, ends_sessions=False)
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with writing(pool) as connection:
                await connection.execute("CREATE TABLE refused ()")
        async with writing(pool) as connection:
            assert await port_of(connection) == pair[1].port
    pair[0].set_read_only(is_read_only=False)


async def test_released_connection_runs_no_statement(pair: tuple[PostgresServer, PostgresServer]) -> None:
    """Each use of a pool costs only its own statements, because the session is not reset."""
    logged: list[str] = []

    async def record(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(lambda entry: logged.append(entry.query))

    async with open_pool(
        pair[1].owner_url, {}, connections_max=1, statement_timeout_s=5.0, prepare=record
    ) as pool:
        for query in ("SELECT 1", "SELECT 2"):
            async with reading(pool) as connection:
                await connection.fetchval(query)
        await asyncio.sleep(0)
    assert logged == ["SELECT 1", "SELECT 2"]


async def test_pool_rolls_back_a_transaction_that_its_user_left_open(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    """A transaction that a user of the pool left open is rolled back, although the session is not reset."""
    async with open_pool(pair[1].owner_url, {}, connections_max=1, statement_timeout_s=5.0) as pool:
        async with reading(pool) as connection:
            await connection.execute("BEGIN; CREATE TABLE left_open ()")
        async with reading(pool) as connection:
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SELECT to_regclass('left_open')") is None


async def test_readiness_asks_whether_the_database_takes_writes(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    """A database that answers but refuses writes is not writable."""
    async with open_pool(both(pair), {}, connections_max=2, statement_timeout_s=5.0) as pool:
        async with writing(pool) as connection:
            await require_writable(connection)
        pair[0].set_read_only(is_read_only=True, ends_sessions=False)
        with pytest.raises(ReadOnlyDatabase):
            async with writing(pool) as connection:
                await require_writable(connection)
        async with writing(pool) as connection:
            await require_writable(connection)
            assert await port_of(connection) == pair[1].port
    pair[0].set_read_only(is_read_only=False)


async def test_commit_without_a_confirmation_is_unknown(pair: tuple[PostgresServer, PostgresServer]) -> None:
    """After any error at COMMIT, the transaction may have been committed."""
    connection = await asyncpg.connect(pair[1].owner_url)
    await connection.execute("BEGIN")
    connection.terminate()
    with pytest.raises(CommitUnknown):
        await commit(connection)


async def test_statement_without_an_answer_may_be_committed(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    """A statement whose error the server reports is rolled back. After the end of the session, that is unknown."""
    connection = await asyncpg.connect(pair[1].owner_url)
    assert await autocommit(connection.fetchval("SELECT 1")) == 1
    with pytest.raises(asyncpg.DivisionByZeroError):
        await autocommit(connection.fetchval("SELECT 1 / 0"))
    with pytest.raises((CommitUnknown, asyncpg.PostgresError)) as ended:
        await autocommit(connection.fetchval("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert isinstance(ended.value, CommitUnknown)


async def test_session_settings_take_effect(pair: tuple[PostgresServer, PostgresServer]) -> None:
    """The settings of a session hold for its connection."""
    settings = session("wallet-test", statement_timeout_s=2.5, idle_in_transaction_session_timeout="2s")
    connection = await connect(pair[1].owner_url, server_settings=settings)
    shown = {name: await connection.fetchval(f"SHOW {name}") for name in settings}
    await connection.close()
    assert shown | {"statement_timeout": "2500"} == settings
    assert shown["statement_timeout"] == "2500ms"


def test_statement_is_the_text_of_its_file() -> None:
    """A statement is the text of the file with its name in the package's folder `sql`."""
    assert read_statement("wallet_kernel.runtime", "totals").startswith("-- Sums a shard's books")


def test_statement_without_a_file_is_an_error() -> None:
    """A statement without a file raises FileNotFoundError."""
    with pytest.raises(FileNotFoundError):
        read_statement("wallet_kernel.runtime", "nothing")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncpg.UniqueViolationError, True),
        (asyncpg.CheckViolationError, True),
        (asyncpg.CharacterNotInRepertoireError, True),
        (asyncpg.NotNullViolationError, False),
        (asyncpg.UndefinedColumnError, False),
        (asyncpg.InvalidCachedStatementError, False),
        (TypeError, False),
    ],
)
def test_only_errors_about_values_count_as_errors_of_a_row(error: type[Exception], *, expected: bool) -> None:
    """An error that every batch would cause is not the error of a row."""
    assert is_of_a_row(error("")) is expected
