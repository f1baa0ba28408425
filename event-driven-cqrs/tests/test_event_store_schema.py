"""The rules that the event store's database enforces on every writer."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from wallet_lab.testing import DatabaseUrls

_EVENT = "INSERT INTO events VALUES ($1, 'alice', $2, 'WalletFrozen', 1, NULL, '{}', now())"


def as_role(url: str, use: Callable[[asyncpg.Connection], Awaitable[object]]) -> None:
    """Runs a statement with this role."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await use(connection)
        finally:
            await connection.close()

    asyncio.run(run())


@pytest.mark.parametrize("table", ["events", "decisions"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = now()", "DELETE FROM {}", "TRUNCATE {}"])
def test_events_and_decisions_cannot_be_changed(
    event_store: DatabaseUrls, table: str, statement: str
) -> None:
    """The owner of the tables cannot change an event or a decision, and the service lacks the privilege."""

    async def change(connection: asyncpg.Connection) -> None:
        await connection.execute(statement.format(table))

    with pytest.raises(asyncpg.RaiseError, match="immutable"):
        as_role(event_store.owner, change)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        as_role(event_store.service, change)


def test_second_event_with_the_same_version_is_rejected(event_store: DatabaseUrls) -> None:
    """UNIQUE (stream_id, version) rejects a second event with the same version."""

    async def twice(connection: asyncpg.Connection) -> None:
        await connection.execute(_EVENT, 1, 1)
        await connection.execute(_EVENT, 2, 1)

    with pytest.raises(asyncpg.UniqueViolationError, match="events_expected_version"):
        as_role(event_store.service, twice)


def test_second_decision_of_a_transaction_is_rejected(event_store: DatabaseUrls) -> None:
    """A transaction has one decision. An append that arrives late cannot add a second one."""
    decision = (
        "INSERT INTO decisions (transaction_id, kind, from_account, to_account, amount_micros, currency,"
        " reason, refused_by, last_position, at)"
        " VALUES ($1, 'transfer', 'alice', 'bob', 1, 'USD', 'wallet-not-found', 'bob', 0, now())"
    )

    async def twice(connection: asyncpg.Connection) -> None:
        for _ in range(2):
            await connection.execute(decision, UUID(int=1))

    with pytest.raises(asyncpg.UniqueViolationError, match="decisions_pkey"):
        as_role(event_store.service, twice)


def test_setting_the_head_back_begins_an_epoch(event_store: DatabaseUrls) -> None:
    """If the head is set back, a new epoch begins, and earlier readers share the log only up to the head."""

    async def set_back(connection: asyncpg.Connection) -> None:
        await connection.execute("UPDATE log_head SET position = 9")
        before = await connection.fetchval("SELECT epoch FROM continue_log()")
        assert await connection.fetchval("SELECT log_shared_with($1)", before) == 9
        await connection.execute("UPDATE log_head SET position = 4")
        await connection.execute("UPDATE log_head SET position = 20")
        assert await connection.fetchval("SELECT epoch FROM log_state") not in (None, before)
        assert await connection.fetchval("SELECT log_shared_with($1)", before) == 4
        assert await connection.fetchval("SELECT log_shared_with(gen_random_uuid())") is None

    as_role(event_store.service, set_back)


def test_head_has_exactly_one_row(event_store: DatabaseUrls) -> None:
    """The head has exactly one row, and the service can neither add nor delete rows."""

    async def second(connection: asyncpg.Connection) -> None:
        await connection.execute("INSERT INTO log_head (position) VALUES (0)")

    with pytest.raises(asyncpg.UniqueViolationError):
        as_role(event_store.owner, second)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        as_role(event_store.service, second)
