"""The event store in Postgres: one connection appends batches, a small pool adds snapshots."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple, Self

import asyncpg
from msgspec.json import encode

from wallet_cqrs.command import statements
from wallet_cqrs.command.wallet_cache import Origin, StreamEvent
from wallet_cqrs.domain.batch import Batch
from wallet_cqrs.domain.submissions import Decided, StatusCommand, Submission, owner_of
from wallet_cqrs.domain.wallet import STATE_SCHEMA, Wallet
from wallet_cqrs.event_log import CONTINUE
from wallet_cqrs.snapshot import restored
from wallet_kernel.database import (
    PrimaryConnection,
    autocommit,
    columns,
    commit,
    open_pool,
    require_writable,
    session,
    writing,
)
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.metrics import watch_pool

STATEMENT_TIMEOUT_S = 5.0

_SESSION = session(
    "wallet-command",
    statement_timeout_s=STATEMENT_TIMEOUT_S,
    # A paused replica must not hold the log's head for longer than this.
    idle_in_transaction_session_timeout="2s",
)
_EVENT_COLUMNS = "stream_id version type schema_version transaction_id data not_before"
_DECISION_COLUMNS = (
    "transaction_id kind from_account to_account amount_micros currency reason refused_by"
    " first_position last_position key fingerprint"
)


class Tail(NamedTuple):
    """The events of a stream with `after` < version <= `until`."""

    account_id: str
    after: int
    until: int


class EventStore:
    """Reads from and appends to the event store. Use as an async context manager.

    If asyncpg raises here, nothing was appended. If `append` or `transaction` raises CommitUnknown, the outcome is
    unknown.
    """

    def __init__(self, url: str) -> None:
        self._primary = PrimaryConnection(
            url, _SESSION, statement_timeout_s=STATEMENT_TIMEOUT_S, prepare=self._begin_session
        )
        self._sessions = 0
        self._aside = open_pool(url, _SESSION, connections_max=2, statement_timeout_s=STATEMENT_TIMEOUT_S)

    async def __aenter__(self) -> Self:
        watch_pool("event-store", await self._aside)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._primary.close()
        await self._aside.close()

    async def ping(self) -> None:
        """Raises if the database does not accept writes."""
        async with writing(self._aside) as connection:
            await require_writable(connection)

    def continues(self, origin: Origin | None) -> bool:
        """Whether this origin's database session is still open, as far as this process knows."""
        return origin is not None and origin.session == self._sessions and self._primary.is_open

    async def head(self) -> tuple[Origin, int]:
        """Returns the origin of the following reads, and the last committed position.

        Starts an epoch of the log if this server has none yet.
        """
        async with self._primary.use() as connection:
            epoch, position = await connection.fetchrow(CONTINUE)
        return Origin(self._sessions, epoch), position

    async def streams(self, accounts: Sequence[str]) -> tuple[dict[str, Wallet], list[Tail]]:
        """Returns wallets from their newest snapshots, and the tails of later events. Takes no lock."""
        async with self._primary.use() as connection:
            rows = await connection.fetch(statements.STREAMS, accounts, STATE_SCHEMA)
        wallets = {name: restored(name, state) for name, _, state in rows}
        tails = [Tail(name, wallets[name].version, version) for name, version, _ in rows]
        return wallets, [tail for tail in tails if tail.after < tail.until]

    async def events(self, tails: Sequence[Tail]) -> list[StreamEvent]:
        """Returns the events of these tails, each stream in order. Takes no lock."""
        async with self._primary.use() as connection:
            rows = await connection.fetch(statements.TAILS, *zip(*tails, strict=True))
        return [StreamEvent(*row) for row in rows]

    async def appended(self, after: int, until: int) -> list[StreamEvent]:
        """Returns the events with `after` < position <= `until`, in order. Takes no lock."""
        async with self._primary.use() as connection:
            rows = await connection.fetch(statements.CATCH_UP, after, until)
        return [StreamEvent(*row) for row in rows]

    async def append(self, origin: Origin, batch: Batch) -> datetime | None:
        """Appends a batch in one statement, which commits itself. Returns the time of the append.

        Returns None if nothing was appended, because the wallets that the batch used may be outdated, or because the
        log already has one of its ids or keys. Raises CommitUnknown.
        """
        async with self._primary.use() as connection:
            if origin.session != self._sessions:  # a new session may lead to a server with an older log
                return None
            try:
                return await autocommit(_append(connection, origin, batch))
            except asyncpg.UniqueViolationError:
                return None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["AppendTransaction"]:
        """Locks the log's head. Commits at the end, or rolls back after an error. Raises CommitUnknown."""
        async with self._primary.use() as connection:
            await connection.execute(statements.BEGIN_APPENDING)
            epoch, head = await connection.fetchrow(statements.HEAD)
            yield AppendTransaction(connection, Origin(self._sessions, epoch), head)
            await commit(connection)

    async def add_snapshots(self, wallets: Sequence[Wallet]) -> None:
        """Writes snapshots of these wallets, on a connection other than the appending one."""
        async with writing(self._aside) as connection:
            await connection.execute(
                statements.ADD_SNAPSHOTS,
                [wallet.account_id for wallet in wallets],
                [wallet.version for wallet in wallets],
                STATE_SCHEMA,
                [wallet.updated_at for wallet in wallets],
                [encode(wallet) for wallet in wallets],
            )

    async def _begin_session(self, _: asyncpg.Connection) -> None:
        self._sessions += 1


class AppendTransaction:
    """A transaction that appends to the log. If its connection breaks, the transaction is lost.

    `origin` is the session and the log's epoch, `head` the last assigned position. Both are read under the lock.
    """

    def __init__(self, connection: asyncpg.Connection, origin: Origin, head: int) -> None:
        self._connection = connection
        self.origin = origin
        self.head = head

    async def appended(self, after: int) -> list[StreamEvent]:
        """Returns the events after a position, in order."""
        rows = await self._connection.fetch(statements.CATCH_UP, after, self.head)
        return [StreamEvent(*row) for row in rows]

    async def find_decisions(self, items: Iterable[Submission | StatusCommand]) -> list[Decided]:
        """Returns earlier decisions with the idempotency keys of these items, or the ids of the resent ones."""
        money = [item for item in items if isinstance(item, Submission)]
        ids = [item.transaction_id for item in money if item.resent]
        keyed = [(owner_of(item.command), item.key) for item in money if item.key is not None]
        if not ids and not keyed:
            return []
        owners, keys = [owner for owner, _ in keyed], [key for _, key in keyed]
        return [
            _decided(row)
            for row in await self._connection.fetch(statements.FIND_DECISIONS, ids, owners, keys)
        ]

    async def append(self, batch: Batch) -> datetime:
        """Appends a batch that was decided at this head. Returns the time of the append."""
        now = await _append(self._connection, self.origin, batch)
        assert now is not None, "the head is locked, so no other session has moved it"
        return now


async def _append(connection: asyncpg.Connection, origin: Origin, batch: Batch) -> datetime | None:
    now: datetime | None = await connection.fetchval(
        statements.APPEND,
        batch.head,
        origin.epoch,
        *columns(batch.events, _EVENT_COLUMNS),
        *columns(batch.decisions, _DECISION_COLUMNS),
    )
    return now


def _decided(row: Any) -> Decided:  # noqa: ANN401 -- asyncpg has no types
    return Decided(
        transaction_id=row["transaction_id"],
        kind=row["kind"],
        from_account=row["from_account"],
        to_account=row["to_account"],
        amount_micros=row["amount_micros"],
        currency=row["currency"],
        reason=Refusal(row["reason"]) if row["reason"] else None,
        refused_by=row["refused_by"],
        first_position=row["first_position"],
        last_position=row["last_position"],
        key=row["idempotency_key"],
        fingerprint=row["fingerprint"],
        at=row["at"],
    )
