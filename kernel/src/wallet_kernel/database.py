"""asyncpg as both architectures use it: connections to the primary, the errors of an outage, rows as columns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from operator import attrgetter
from typing import Any

import asyncpg

CONNECT_TIMEOUT_S = 2.0
"""How long opening a connection may take, over all servers of an address."""

ROLLBACK_TIMEOUT_S = 1.0

DATABASE_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The driver met a connection that broke off where its own state machine does not expect it.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""A statement failed, or the connection did; of a COMMIT nobody knows which."""

Prepare = Callable[[asyncpg.Connection], Awaitable[None]]


class ReadOnlyDatabase(Exception):
    """The database takes no writes: it is a standby, or `default_transaction_read_only` is on."""


_READ_ONLY = (asyncpg.ReadOnlySQLTransactionError, ReadOnlyDatabase)


def servers(url: str) -> list[str]:
    """One address for each server of `postgresql://user:password@host:port,host:port/name`, in their order."""
    scheme, _, rest = url.partition("://")
    authority, slash, database = rest.partition("/")
    login, at, hosts = authority.rpartition("@")
    return [f"{scheme}://{login}{at}{host}{slash}{database}" for host in hosts.split(",")]


async def connect(
    url: str,
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
    target_session_attrs: str = "read-write",
    **options: Any,  # noqa: ANN401 -- those of asyncpg.connect
) -> asyncpg.Connection:
    """Connects to the first server of an address that takes writes (or has the other `target_session_attrs`).

    Each server gets its share of `timeout_s`, so a silent one does not hide the next. Raises one of
    DATABASE_ERRORS: the last server's.
    """
    addresses = servers(url)
    for number, address in enumerate(addresses, 1):
        try:
            return await asyncpg.connect(
                address,
                timeout=timeout_s / len(addresses),
                target_session_attrs=target_session_attrs,
                **options,
            )
        except DATABASE_ERRORS:
            if number == len(addresses):
                raise
    raise AssertionError("an address has at least one server")


def open_pool(
    url: str,
    session: Mapping[str, str],
    *,
    connections_max: int,
    statement_timeout_s: float,
    target_session_attrs: str = "read-write",
    prepare: Prepare | None = None,
) -> asyncpg.Pool:
    """Up to `connections_max` connections to the primary, opened when needed; await it, or enter it as a context.

    `session` holds the settings of each session. A pool that only reads passes the attribute `primary`. `prepare` runs
    on every new connection before its first use; if it raises, the connection is closed.
    """
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections_max,
        connect=connect,
        init=prepare,
        command_timeout=statement_timeout_s,
        server_settings=dict(session),
        target_session_attrs=target_session_attrs,
    )


@asynccontextmanager
async def reading(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the pool, to read with. A read that is cancelled, or runs out of time, closes it at once.

    Otherwise the reader would wait until the server confirms that it cancelled the statement; a silent one never does.
    """
    connection = await pool.acquire()
    try:
        yield connection
    except (asyncio.CancelledError, TimeoutError):
        connection.terminate()
        raise
    finally:
        await pool.release(connection)


@asynccontextmanager
async def writing(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the pool, to write with. After a read-only error the pool opens new connections."""
    try:
        async with pool.acquire() as connection:
            yield connection
    except _READ_ONLY:
        await pool.expire_connections()
        raise


async def require_writable(connection: asyncpg.Connection) -> None:
    """Checks that the database takes writes: for readiness. Raises ReadOnlyDatabase, or one of DATABASE_ERRORS."""
    if await connection.fetchval("SHOW transaction_read_only") != "off":
        raise ReadOnlyDatabase(ReadOnlyDatabase.__doc__)


class PrimaryConnection:
    """One connection to the primary, opened at its first use and opened again after it was lost.

    `prepare` runs on every new connection before its first use; if it raises, the connection is closed.
    """

    def __init__(
        self,
        url: str,
        session: Mapping[str, str],
        *,
        statement_timeout_s: float,
        prepare: Prepare | None = None,
    ) -> None:
        self._url = url
        self._session = dict(session)
        self._statement_timeout_s = statement_timeout_s
        self._prepare = prepare
        self._connection: asyncpg.Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether the next use takes the connection of the last one, as far as this process knows."""
        return self._connection is not None and not self._connection.is_closed()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[asyncpg.Connection]:
        """The connection, for one user at a time. If its use raises, the transaction is rolled back.

        The connection is dropped, which rolls back as well, if it is broken or its server refuses writes.
        """
        connection = await self._connected()
        try:
            yield connection
        except BaseException as error:
            await self._roll_back(connection, error)
            raise

    async def close(self) -> None:
        """Closes the connection if it is open; the next use opens another one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or not self.is_open:
            connection = await connect(
                self._url, command_timeout=self._statement_timeout_s, server_settings=self._session
            )
            await self._prepared(connection)
            self._connection = connection
        return self._connection

    async def _prepared(self, connection: asyncpg.Connection) -> None:
        try:
            if self._prepare is not None:
                await self._prepare(connection)
        except BaseException:
            connection.terminate()
            raise

    async def _roll_back(self, connection: asyncpg.Connection, error: BaseException) -> None:
        is_usable = False
        try:
            # A demoted primary answers every transaction so: only another connection finds the new one.
            if not isinstance(error, _READ_ONLY):
                with suppress(Exception):  # the first error is the one that counts
                    await connection.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_S)
                    is_usable = True
        finally:
            if not is_usable:
                connection.terminate()
                self._connection = None


def columns(rows: Collection[Any], names: str) -> list[list[Any]]:
    """The members of these rows, named with spaces between, as columns: what unnest() takes."""
    return [list(map(attrgetter(name), rows)) for name in names.split()]
