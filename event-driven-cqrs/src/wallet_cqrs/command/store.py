"""The event store's Postgres: one connection that appends batches, another that adds snapshots."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self

import asyncpg
from msgspec.json import Decoder, encode

from wallet_cqrs.command import statements
from wallet_cqrs.command.batch import Batch
from wallet_cqrs.command.submissions import Decided, StatusCommand, Submission, owner_of
from wallet_cqrs.command.wallet_cache import StreamEvent, fold_all
from wallet_cqrs.domain.wallet import STATE_SCHEMA, Wallet, initial_state
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.metrics import watch_pool

CONNECT_TIMEOUT_S = 2.0
STATEMENT_TIMEOUT_S = 5.0
TAIL_EVENTS_MAX = 2000
"""Events of one stream that are read at once."""

_SESSION = {
    "application_name": "wallet-command",
    "statement_timeout": "5s",
    # A paused replica must not hold the log's head for longer than this.
    "idle_in_transaction_session_timeout": "2s",
    # Every statement finds its rows by an index. Plans are made once, perhaps while tables are empty, and must not
    # turn into scans as they grow.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
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


class CommitUnknown(Exception):
    """COMMIT was sent and not answered: nobody knows whether it was done."""


class Store:
    """The event store as the command service uses it. Use as an async context manager.

    Whatever asyncpg raises here means that nothing was appended; only a turn's `commit` raises CommitUnknown.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._aside: asyncpg.Pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=2,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            server_settings=_SESSION,
        )

    async def __aenter__(self) -> Self:
        watch_pool("event-store", await self._aside)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()
        await self._aside.close()

    async def ping(self) -> None:
        """Raises unless the database answers."""
        await self._aside.fetchval("SELECT 1")

    async def head(self) -> int:
        """The last position that is committed."""
        row = await (await self._appending()).fetchrow(statements.HEAD)
        return int(row["position"])

    async def load(self, accounts: Sequence[str]) -> dict[str, Wallet]:
        """These wallets as they stand: newest snapshot and the events after it. Takes no lock."""
        connection = await self._appending()
        wallets = {account: initial_state(account) for account in accounts}
        for (state,) in await connection.fetch(statements.SNAPSHOTS, accounts, STATE_SCHEMA):
            wallet = _WALLET.decode(state)
            wallets[wallet.account_id] = wallet
        unfinished = list(accounts)
        while unfinished:
            versions = [wallets[account].version for account in unfinished]
            rows = await connection.fetch(statements.TAILS, unfinished, versions, TAIL_EVENTS_MAX)
            fold_all(wallets, (StreamEvent(*row) for row in rows))
            unfinished = [
                account
                for account, version in zip(unfinished, versions, strict=True)
                if wallets[account].version - version == TAIL_EVENTS_MAX
            ]
        return wallets

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """One transaction that has the log to itself; it is rolled back unless it commits."""
        connection = await self._appending()
        try:
            await connection.execute(statements.BEGIN_APPENDING)
            row = await connection.fetchrow(statements.HEAD)
            yield Turn(connection, row["position"], row["now"])
        except BaseException:
            await self._roll_back(connection)
            raise

    async def add_snapshots(self, wallets: Sequence[Wallet]) -> None:
        """Keeps these states of wallets, beside the appending connection."""
        await self._aside.execute(
            statements.ADD_SNAPSHOTS,
            [wallet.account_id for wallet in wallets],
            [wallet.version for wallet in wallets],
            STATE_SCHEMA,
            [wallet.updated_at for wallet in wallets],
            [encode(wallet) for wallet in wallets],
        )

    async def _roll_back(self, connection: asyncpg.Connection) -> None:
        """Where that is still possible; else drops the connection, which rolls back as well."""
        try:
            await connection.execute("ROLLBACK", timeout=1.0)
        except Exception:  # noqa: BLE001 -- what led here is what counts
            connection.terminate()
            self._connection = None

    async def _appending(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=STATEMENT_TIMEOUT_S,
                server_settings=_SESSION,
            )
        return self._connection


class Turn:
    """An appending transaction, on one connection from its beginning to its end: if that is lost, so is the turn.

    `head` is the last position given out, `now` the database's time; both read under the lock.
    """

    def __init__(self, connection: asyncpg.Connection, head: int, now: datetime) -> None:
        self._connection = connection
        self.head = head
        self.now = now

    async def appended(self, after: int) -> list[StreamEvent]:
        """What has been appended after a position, in order."""
        rows = await self._connection.fetch(statements.CATCH_UP, after, self.head)
        return [StreamEvent(*row) for row in rows]

    async def known(self, items: Iterable[Submission | StatusCommand]) -> list[Decided]:
        """What was decided before under the idempotency keys of these, or the transaction ids of the resent."""
        money = [item for item in items if isinstance(item, Submission)]
        ids = [item.transaction_id for item in money if item.resent]
        keyed = [(owner_of(item.command), item.key) for item in money if item.key is not None]
        if not ids and not keyed:
            return []
        owners, keys = [owner for owner, _ in keyed], [key for _, key in keyed]
        return [_decided(row) for row in await self._connection.fetch(statements.KNOWN, ids, owners, keys)]

    async def commit(self, batch: Batch) -> None:
        """Appends what came of the batch, and commits. Raises CommitUnknown."""
        copy = self._connection.copy_records_to_table
        if batch.rows:
            await copy("events", records=batch.rows, columns=_EVENT_COLUMNS)
        if batch.decisions:
            await copy("decisions", records=map(_decision_row, batch.decisions), columns=_DECISION_COLUMNS)
        try:
            await self._connection.execute(statements.COMMIT_AT % batch.position if batch.rows else "COMMIT")
        except Exception as error:  # whatever it is: it was sent
            raise CommitUnknown(repr(error)) from error


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
    reason = Refusal(row["reason"]) if row["reason"] else None
    return Decided(
        row["transaction_id"],
        row["kind"],
        row["from_account"],
        row["to_account"],
        row["amount_micros"],
        row["currency"],
        reason,
        row["refused_by"],
        row["first_position"],
        row["last_position"],
        row["idempotency_key"],
        row["fingerprint"],
        row["at"],
    )
