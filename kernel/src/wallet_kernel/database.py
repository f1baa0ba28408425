"""asyncpg for both architectures: connections to the primary, errors of an outage, statement files, rows as columns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from operator import attrgetter
from typing import Any, TypeVar

import asyncpg

CONNECT_TIMEOUT_S = 2.0
"""Time limit for opening a connection, over all servers of an address."""

ROLLBACK_TIMEOUT_S = 1.0


class ReadOnlyDatabase(Exception):
    """The database accepts no writes: it is a standby, or `default_transaction_read_only` is on."""


DATABASE_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The driver raises this if a connection breaks in a state that it does not expect.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    ReadOnlyDatabase,
)
"""A statement or the connection failed. If a COMMIT raises one of these, its outcome is unknown."""

Prepare = Callable[[asyncpg.Connection], Awaitable[None]]

Result = TypeVar("Result")


def is_of_a_row(error: Exception) -> bool:
    """Returns whether a database's error is caused by the values of a row, and not by the whole system.

    A missing value (NOT NULL) is no such error: no service writes one, so the schema has a column that this version
    does not know.
    """
    of_a_row = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
    return isinstance(error, of_a_row) and not isinstance(error, asyncpg.NotNullViolationError)


def session(application: str, *, statement_timeout_s: float, **settings: str) -> dict[str, str]:
    """Returns the settings of sessions whose every statement reads few rows through a unique index.

    Postgres plans each statement once, perhaps while the tables are empty. The settings exclude plans that would become
    slow when the tables grow. `settings` are added to them.
    """
    return {
        "application_name": application,
        "statement_timeout": f"{statement_timeout_s * 1000:.0f}",
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "jit": "off",
        **settings,
    }


def read_statement(package: str, name: str) -> str:
    """Returns the statement in the file `sql/<name>.sql` of this package."""
    return (files(package) / "sql" / f"{name}.sql").read_text()


RELEASES_LOCKS = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "5000",
}
"""Settings of sessions that hold locks: Postgres ends such a session 5 s after the loss of its client's machine."""


class CommitUnknown(Exception):
    """A commit was sent, but the database did not confirm it. The transaction may have been committed."""


_READ_ONLY = (asyncpg.ReadOnlySQLTransactionError, ReadOnlyDatabase)


def servers(url: str) -> list[str]:
    """Returns one address per server of `postgresql://user:password@host:port,host:port/name`, in the same order."""
    scheme, _, rest = url.partition("://")
    authority, slash, database = rest.partition("/")
    login, at, hosts = authority.rpartition("@")
    return [f"{scheme}://{login}{at}{host}{slash}{database}" for host in hosts.split(",")]


async def connect(
    url: str,
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
    target_session_attrs: str = "read-write",
    **options: Any,  # noqa: ANN401 -- the options of asyncpg.connect
) -> asyncpg.Connection:
    """Connects to the first server of an address that accepts writes (or has the other `target_session_attrs`).

    Each server gets an equal share of `timeout_s`, so that an unresponsive server does not block the next one. If no
    server accepts, raises the last server's error, one of DATABASE_ERRORS.
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
    """Returns a pool of up to `connections_max` connections to the primary. Await it, or enter it as a context.

    The pool opens connections when they are needed. `session` holds the settings of each session. A pool that only
    reads passes the `target_session_attrs` `primary`. `prepare` runs on every new connection before its first use; if
    it raises, the connection is closed.

    A released connection keeps the state of its session, which saves a round trip. So no user of a pool may change a
    session: no LISTEN, no SET without LOCAL, no advisory lock of a session, no cursor WITH HOLD. If a user left a
    transaction open, the pool rolls it back.
    """
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections_max,
        connect=connect,
        init=prepare,
        reset=_keep_session,
        command_timeout=statement_timeout_s,
        server_settings=dict(session),
        target_session_attrs=target_session_attrs,
    )


async def _keep_session(_: asyncpg.Connection) -> None:
    """Replaces asyncpg's reset of a released session, which runs four statements. asyncpg has ended any transaction."""


@asynccontextmanager
async def reading(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """Yields a connection of the pool for reads. If the read times out or is cancelled, drops the connection.

    Without that, the reader would wait until the server confirms the cancellation, and an unresponsive server never
    does.
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
    """Yields a connection of the pool for writes. After a read-only error the pool opens new connections."""
    try:
        async with pool.acquire() as connection:
            yield connection
    except _READ_ONLY:
        await pool.expire_connections()
        raise


@asynccontextmanager
async def reading_primary(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """Does the same as `reading`. Raises ReadOnlyDatabase after the body if the server accepts no writes by then.

    Such a server may be a former primary with old data, so the pool then opens new connections. The check costs no
    statement, because the server reports a change of the setting with its next answer.
    """
    async with reading(pool) as connection:
        yield connection
        if connection.get_settings().default_transaction_read_only == "on":
            await pool.expire_connections()
            raise ReadOnlyDatabase(ReadOnlyDatabase.__doc__)


async def require_writable(connection: asyncpg.Connection) -> None:
    """Checks that the database accepts writes. Raises ReadOnlyDatabase, or one of DATABASE_ERRORS."""
    if await connection.fetchval("SHOW transaction_read_only") != "off":
        raise ReadOnlyDatabase(ReadOnlyDatabase.__doc__)


async def commit(connection: asyncpg.Connection) -> None:
    """Commits the transaction. Raises CommitUnknown after any error, because COMMIT was sent."""
    try:
        await connection.execute("COMMIT")
    except Exception as error:  # after COMMIT was sent, every error leaves the outcome unknown
        raise CommitUnknown(repr(error)) from error


async def autocommit(statement: Awaitable[Result]) -> Result:
    """Awaits a statement that runs outside a transaction and so commits itself. Returns its result.

    If the server reports an error, it has rolled the statement back, and its asyncpg.PostgresError is raised. After any
    other error the statement may have been committed, because it was sent: raises CommitUnknown.
    """
    try:
        return await statement
    except Exception as error:
        if _is_rolled_back(error):
            raise
        raise CommitUnknown(f"no answer to the statement: {error!r}") from error


def _is_rolled_back(error: Exception) -> bool:
    """Whether the server itself reported an error of the statement. Only such an error has the severity ERROR.

    A server that ends the session reports FATAL, perhaps after the commit. The driver's own errors have no severity.
    """
    return isinstance(error, asyncpg.PostgresError) and error.severity_en == "ERROR"


class PrimaryConnection:
    """One connection to the primary, opened at its first use and reopened after it was lost.

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
        """Whether the next use gets the connection of the last use, as far as this process knows."""
        return self._connection is not None and not self._connection.is_closed()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[asyncpg.Connection]:
        """Yields the connection to one user at a time. If the body raises, the transaction is rolled back.

        If the connection is broken or its server refuses writes, the connection is dropped, which also rolls back.
        """
        connection = await self._connected()
        try:
            yield connection
        except BaseException as error:
            await self._roll_back(connection, error)
            raise

    async def close(self) -> None:
        """Closes the connection if it is open. The next use opens a new one."""
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
            # A demoted primary refuses every write, so only a new connection finds the new primary.
            if not isinstance(error, _READ_ONLY):
                with suppress(Exception):  # the caller needs the first error, not this one
                    await connection.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_S)
                    is_usable = True
        finally:
            if not is_usable:
                connection.terminate()
                self._connection = None


def columns(rows: Collection[Any], names: str) -> list[list[Any]]:
    """Returns the named attributes of these rows as columns, for unnest(). `names` are separated by spaces."""
    return [list(map(attrgetter(name), rows)) for name in names.split()]
