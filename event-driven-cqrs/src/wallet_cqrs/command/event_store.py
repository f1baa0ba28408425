"""The event store in Postgres: one connection appends batches, a small pool adds snapshots."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple, Self

import asyncpg
from msgspec.json import Decoder, encode

from wallet_cqrs.command import statements
from wallet_cqrs.command.wallet_cache import Origin, StreamEvent
from wallet_cqrs.domain.batch import Batch
from wallet_cqrs.domain.submissions import Decided, StatusCommand, Submission, owner_of
from wallet_cqrs.domain.wallet import STATE_SCHEMA, Wallet, initial_state
from wallet_cqrs.event_log import CONTINUE
from wallet_kernel.database import PrimaryConnection, commit, open_pool, require_writable, session, writing
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.metrics import watch_pool

STATEMENT_TIMEOUT_S = 5.0

_SESSION = session(
    "wallet-command",
    statement_timeout_s=STATEMENT_TIMEOUT_S,
    # A paused replica must not hold the log's head for longer than this.
    idle_in_transaction_session_timeout="2s",
)
_EVENT_COLUMNS = (
    "position",
    "stream_id",
    "version",
    "type",
    "schema_version",
    "transaction_id",
    "data",
    "at",
)
_DECISION_COLUMNS = (
    "transaction_id",
    "kind",
    "from_account",
    "to_account",
    "amount_micros",
    "currency",
    "reason",
    "refused_by",
    "first_position",
    "last_position",
    "idempotency_key",
    "fingerprint",
    "at",
)

_WALLET = Decoder(Wallet)


class Tail(NamedTuple):
    """The events of a stream with `after` < version <= `until`."""

    account_id: str
    after: int
    until: int


class EventStore:
    """Reads from and appends to the event store. Use as an async context manager.

    If asyncpg raises here, nothing was appended. If `transaction` raises CommitUnknown, the outcome is unknown.
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
        wallets = {name: _WALLET.decode(state) if state else initial_state(name) for name, _, state in rows}
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

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["AppendTransaction"]:
        """Locks the log's head. Commits at the end, or rolls back after an error. Raises CommitUnknown."""
        async with self._primary.use() as connection:
            await connection.execute(statements.BEGIN_APPENDING)
            row = await connection.fetchrow(statements.HEAD)
            transaction = AppendTransaction(
                connection, Origin(self._sessions, row["epoch"]), row["position"], row["now"]
            )
            yield transaction
            await commit(connection, transaction.commit_statement)

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

    `origin` is the session and the log's epoch, `head` the last assigned position, `now` the database's time. All are
    read under the lock.
    """

    commit_statement = "COMMIT"

    def __init__(self, connection: asyncpg.Connection, origin: Origin, head: int, now: datetime) -> None:
        self._connection = connection
        self.origin = origin
        self.head = head
        self.now = now

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

    async def append(self, batch: Batch) -> None:
        """Appends the batch's events and decisions."""
        copy = self._connection.copy_records_to_table
        if batch.rows:
            await copy("events", records=batch.rows, columns=_EVENT_COLUMNS)
            self.commit_statement = statements.COMMIT_AT % batch.position
        if batch.decisions:
            await copy("decisions", records=map(_decision_row, batch.decisions), columns=_DECISION_COLUMNS)


def _decision_row(decided: Decided) -> tuple[Any, ...]:
    return (
        decided.transaction_id,
        decided.kind,
        decided.from_account,
        decided.to_account,
        decided.amount_micros,
        decided.currency,
        decided.reason,
        decided.refused_by,
        decided.first_position,
        decided.last_position,
        decided.key,
        decided.fingerprint,
        decided.at,
    )


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
