"""The shard's store on a real Postgres: constraints and rights, concurrent sessions, lost connections, and its cost."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from saga_support.scene import ONE_SHARD, statements_of

from wallet_kernel.refusals import Refusal
from wallet_lab.testing import DatabaseUrls, PostgresServer, migrated_postgres, running_postgres
from wallet_saga.domain.commands import (
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Deposit,
    Done,
    NotDone,
    OpenWallet,
    Outcome,
    ReadWallet,
    RefundTransfer,
    Replayed,
    TurnedAway,
    Unknown,
    WalletState,
)
from wallet_saga.worker import statements
from wallet_saga.worker.batch_writer import BatchWriter, _withdraw
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.store import Store

pytestmark = pytest.mark.anyio

TEN = 10_000_000


def opened(name: str, balance: int = TEN) -> OpenWallet:
    return OpenWallet(uuid4(), name, balance, "USD", None, None)


def deposit(name: str, amount: int = 1, transaction_id: UUID | None = None) -> Deposit:
    return Deposit(transaction_id or uuid4(), name, amount, "USD", None, None)


def debit(name: str, amount: int = 1, key: str | None = None) -> DebitWallet:
    return DebitWallet(uuid4(), name, "payee", amount, "USD", key, b"meaning" if key else None)


@pytest.fixture(scope="module")
async def shard_in_use(postgres: PostgresServer, no_cache: BalanceCache) -> DatabaseUrls:
    """A database with one example of each row. Tests share it, because Postgres rejects all their changes."""
    database = postgres.copy_database()
    async with _store(database.service) as store:
        steps: list[Command] = [opened("a"), CreditWallet(uuid4(), "b", "a", 1, "USD"), debit("a", key="key")]
        await BatchWriter(store, no_cache, 1000, 20_000).perform(steps)
    return database


# Changes that the database rejects.


@pytest.mark.parametrize("table", ["ledger", "credits"])
@pytest.mark.parametrize(
    "change",
    ["UPDATE {} SET at = now()", "DELETE FROM {}", "TRUNCATE {}"],
    ids=["update", "delete", "truncate"],
)
async def test_history_cannot_be_changed(shard_in_use: DatabaseUrls, table: str, change: str) -> None:
    """The database rejects changes of postings and of credit barriers, also by its owner."""
    with pytest.raises(asyncpg.RaiseError, match="immutable"):
        await _execute(shard_in_use.owner, change.format(table))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET at = now()",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "UPDATE credits SET reason = NULL",
        "DELETE FROM credits",
        "TRUNCATE credits",
        "DELETE FROM wallets",
        "DELETE FROM transfers",
        "DELETE FROM system_accounts",
        "TRUNCATE wallets",
        "DROP TABLE ledger",
        "DROP FUNCTION refuse_change() CASCADE",
        "ALTER TABLE ledger DISABLE TRIGGER ALL",
        "ALTER TABLE wallets DROP CONSTRAINT wallets_balance_micros_check",
        "CREATE TABLE more (x int)",
        "CREATE TEMPORARY TABLE more (x int)",
        "DROP INDEX transfers_idempotency",
        "SELECT * FROM alembic_version",
        "SET session_replication_role = replica",
        "SET ROLE wallet_owner",
    ],
)
async def test_worker_can_neither_delete_history_nor_remove_a_safeguard(
    shard_in_use: DatabaseUrls, statement: str
) -> None:
    """A faulty or compromised worker can neither delete history nor remove a safeguard."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _execute(shard_in_use.service, statement)


@pytest.mark.parametrize(
    "change",
    [
        "balance_micros = -1",
        "in_flight_micros = -1",
        "balance_micros = 1, in_flight_micros = 9223372036854775807",
        "status = 'closed'",
        "status = 'asleep'",
        "version = 0",
    ],
    ids=[
        "below zero",
        "negative in flight",
        "no room for a refund",
        "closed with money",
        "status",
        "version",
    ],
)
async def test_database_rejects_impossible_wallets(shard_in_use: DatabaseUrls, change: str) -> None:
    """The database rejects a negative balance, a balance without room for refunds, and a closed wallet with money."""
    with pytest.raises(asyncpg.CheckViolationError):
        await _execute(shard_in_use.service, f"UPDATE wallets SET {change}")  # noqa: S608 -- the list above


BARRIERS = [
    "INSERT INTO wallets SELECT * FROM wallets LIMIT 1",
    "INSERT INTO ledger SELECT * FROM ledger LIMIT 1",
    "INSERT INTO credits SELECT * FROM credits LIMIT 1",
    """INSERT INTO transfers (transfer_id, kind, state, from_account, to_account, amount_micros, currency,
                              started_at, lease_until)
       SELECT transfer_id, 'transfer', 'debited', 'x', 'y', 1, 'USD', now(), now() FROM transfers LIMIT 1""",
    """INSERT INTO transfers (transfer_id, kind, state, from_account, to_account, amount_micros, currency,
                              idempotency_key, started_at, lease_until)
       VALUES (gen_random_uuid(), 'transfer', 'debited', 'a', 'z', 1, 'USD', 'key', now(), now())""",
]


@pytest.mark.parametrize("statement", BARRIERS, ids=["wallet", "version", "credit", "transfer", "key"])
async def test_barriers_are_unique(shard_in_use: DatabaseUrls, statement: str) -> None:
    """The database rejects a second row for a wallet, a version, a credit, a transfer, or an idempotency key."""
    with pytest.raises(asyncpg.UniqueViolationError):
        await _execute(shard_in_use.service, statement)


async def test_commits_are_flushed(store: Store) -> None:
    """A worker's sessions keep Postgres's defaults for durable commits."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await store._readers.fetchval(f"SHOW {name}") == "on"


async def test_a_key_seen_in_an_earlier_batch_is_replayed(writer: BatchWriter) -> None:
    """A debit with the idempotency key of an earlier batch replays the first transfer."""
    first, again = debit("a", key="k"), debit("a", key="k")
    await writer.perform([opened("a")])
    await writer.perform([first])
    [outcome] = await writer.perform([again])
    assert isinstance(outcome, Replayed)
    assert outcome.transfer.transaction_id == first.transaction_id


# Concurrent sessions, and rows at fault.


def _store(url: str, lease_s: float = 60) -> Store:
    return Store(url, timedelta(seconds=lease_s), ONE_SHARD)


async def _wallet(writer: BatchWriter, name: str) -> WalletState:
    [wallet] = await writer.perform([ReadWallet(name)])
    assert isinstance(wallet, WalletState)
    return wallet


async def test_wallet_changed_by_another_session_is_not_overwritten(
    writer: BatchWriter, owner: asyncpg.Connection
) -> None:
    """If another session changes a wallet without the writer's lock, the batch on its known version is rolled back."""
    await writer.perform([opened("a")])
    await owner.execute("UPDATE wallets SET version = version + 1, balance_micros = 5")
    assert await writer.perform([deposit("a")]) == [NotDone()]
    assert await owner.fetchval("SELECT balance_micros FROM wallets") == 5
    assert await owner.fetchval("SELECT count(*) FROM ledger") == 1


async def test_saga_ended_by_another_session_is_not_ended_again(
    writer: BatchWriter, owner: asyncpg.Connection
) -> None:
    """If another session ends an open saga without the writer's lock, the batch that ends it, too, is rolled back."""
    step = debit("a")
    await writer.perform([opened("a"), step])
    await owner.execute("UPDATE transfers SET state = 'completed', ended_at = now() WHERE state = 'debited'")
    refund = RefundTransfer(step.transaction_id, "a", Refusal.WALLET_FROZEN)
    assert await writer.perform([refund]) == [NotDone()]
    assert await owner.fetchval("SELECT balance_micros FROM wallets") == TEN - 1


async def test_rows_are_loaded_again_after_an_error(writer: BatchWriter, owner: asyncpg.Connection) -> None:
    """After an error, the worker loads the rows of the next batch, because its memory may be wrong."""
    await writer.perform([opened("a")])
    await owner.execute("UPDATE wallets SET version = version + 1, balance_micros = 5")
    await writer.perform([deposit("a")])
    assert await writer.perform([deposit("a")]) == [Done()]
    assert await owner.fetchval("SELECT balance_micros FROM wallets") == 6


async def test_step_rejected_by_the_database_fails_alone(writer: BatchWriter) -> None:
    """If the database rejects one step, the batch is bisected until that step is alone; all others are done once."""
    refused = DebitWallet(uuid4(), "a", "no text\0", 1, "USD")
    batch: list[Command] = [deposit("a", 2**n) for n in range(9)]
    batch.insert(5, refused)
    await writer.perform([opened("a", 0)])
    outcomes = await writer.perform(batch)
    assert outcomes == [NotDone() if step is refused else Done() for step in batch]
    assert (await _wallet(writer, "a")).balance_micros == 2**9 - 1


async def test_step_whose_time_ends_between_the_parts_of_its_batch_is_not_done(
    writer: BatchWriter, owner: asyncpg.Connection
) -> None:
    """A step of a rolled-back batch is dropped at its timeout if its part of the batch has not begun."""
    await writer.perform([opened("a", 0), opened("b", 0)])
    refused = DebitWallet(uuid4(), "a", "no text\0", 1, "USD")
    async with owner.transaction():  # the first part waits for this lock
        await owner.execute("SELECT FROM wallets WHERE account_id = 'a' FOR UPDATE")
        steps = writer._batcher.submit_all([deposit("a", 1), deposit("a", 2), deposit("b", 4), refused])
        async with asyncio.timeout(60):
            while not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 -- polls a database
                await asyncio.sleep(0.01)
        _withdraw(steps)
    await asyncio.gather(*steps, return_exceptions=True)
    assert [step.cancelled() for step in steps] == [False, False, True, True]
    assert [(await _wallet(writer, name)).balance_micros for name in ("a", "b")] == [3, 0]


async def test_systematic_error_costs_one_transaction(
    database: DatabaseUrls, no_cache: BalanceCache, owner: asyncpg.Connection
) -> None:
    """If an error is not about one row, the worker does not bisect the batch, and all its steps are not done."""
    async with _store(database.service) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([opened("a")])
        await owner.execute("ALTER TABLE ledger RENAME COLUMN at TO renamed")
        sent = statements_of(store)
        assert await writer.perform([deposit("a") for _ in range(50)]) == [NotDone()] * 50
        assert sent.count(statements.WRITE) == 1


async def test_concurrent_claims_get_different_sagas(database: DatabaseUrls, no_cache: BalanceCache) -> None:
    """Orchestrators that recover at the same time claim different sagas."""
    async with _store(database.service, lease_s=-1) as store:
        steps = [debit("a") for _ in range(100)]
        await BatchWriter(store, no_cache, 1000, 20_000).perform([opened("a"), *steps])
        claims = await asyncio.gather(*(store.claim(9, 60) for _ in range(20)))
    claimed = [record.transaction_id for claim in claims for record in claim]
    assert len(claimed) == 100
    assert set(claimed) == {step.transaction_id for step in steps}


async def test_claim_skips_sagas_that_another_claim_locked(
    database: DatabaseUrls, no_cache: BalanceCache, owner: asyncpg.Connection
) -> None:
    """A claim skips the rows that another claim has locked."""
    async with _store(database.service, lease_s=-1) as store:
        await BatchWriter(store, no_cache, 1000, 20_000).perform(
            [opened("a"), *(debit("a") for _ in range(10))]
        )
        async with owner.transaction():
            taken = await owner.fetch(
                "SELECT transfer_id FROM transfers WHERE state = 'debited' LIMIT 4 FOR UPDATE"
            )
            async with asyncio.timeout(60):
                claimed = await store.claim(100, 60)
    assert len(claimed) == 6
    assert not {record.transaction_id for record in claimed} & {row["transfer_id"] for row in taken}


async def test_saga_that_is_being_claimed_ends_after_the_claim(
    writer: BatchWriter, owner: asyncpg.Connection
) -> None:
    """A batch that ends a saga waits for a claim of the same saga, and is not rolled back because of the new lease."""
    step = debit("a")
    await writer.perform([opened("a"), step])
    async with owner.transaction():
        await owner.execute(
            "UPDATE transfers SET lease_until = now() + interval '1 min' WHERE state = 'debited'"
        )
        ending = asyncio.create_task(writer.perform([CompleteTransfer(step.transaction_id, "a")]))
        await asyncio.wait([ending], timeout=0.3)
        assert not ending.done()
    assert await ending == [Done()]
    assert await owner.fetchval("SELECT state FROM transfers WHERE kind = 'transfer'") == "completed"


async def test_only_open_sagas_without_a_lease_are_claimed(
    writer: BatchWriter, store: Store, owner: asyncpg.Connection
) -> None:
    """A saga can be claimed only if it has not ended and its lease has expired; a claim gives it a new lease."""
    first, second = debit("a"), debit("a")
    await writer.perform([opened("a"), first, second, CompleteTransfer(second.transaction_id, "a")])
    assert await store.claim(100, 60) == []
    await owner.execute("UPDATE transfers SET lease_until = now() - interval '1 s'")
    assert [record.transaction_id for record in await store.claim(100, 60)] == [first.transaction_id]
    assert await store.claim(100, 60) == []


# Lost connections and crashes.


Fault = Literal["hold", "cut before", "cut behind"]


class Wire:
    """A proxy of a database that can hold one message, or cut the connection before or behind it."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._fault: tuple[bytes, Fault] | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.url = ""
        self.arrived, self.released = asyncio.Event(), asyncio.Event()

    def disturb(self, content: bytes, fault: Fault) -> None:
        """Holds the next message with this content until `released`, or cuts the connection before or behind it."""
        self._fault = content, fault

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._target.geturl().replace(f":{self._target.port}/", f":{port}/")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers += [writer, forth]
        replies = asyncio.create_task(_pump(back, writer))
        while data := await reader.read(65536):
            fault = self._due(data)
            if fault == "hold":
                self.arrived.set()
                await self.released.wait()
            elif fault is not None:
                replies.cancel()
            if fault != "cut before":
                forth.write(data)
            if fault == "cut behind":
                await asyncio.sleep(0.2)  # the server executes the statement, but its reply is lost
            if replies.cancelled() or replies.cancelling():
                break
        forth.close()
        writer.close()

    def _due(self, data: bytes) -> Fault | None:
        if self._fault is None or self._fault[0] not in data:
            return None
        _, fault = self._fault
        self._fault = None
        return fault


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_step_is_answered_only_after_its_commit(database: DatabaseUrls, no_cache: BalanceCache) -> None:
    """The worker does not answer a step until the database has confirmed the commit."""
    async with Wire(database.service) as wire, _store(wire.url) as store:
        step = opened("a", 0)
        wire.disturb(step.transaction_id.bytes, "hold")
        answer = asyncio.create_task(BatchWriter(store, no_cache, 1000, 20_000).perform([step]))
        await wire.arrived.wait()
        await asyncio.wait([answer], timeout=0.2)
        answered_early = answer.done()
        wire.released.set()
        assert isinstance((await answer)[0], WalletState)
        assert await store.transfer(step.transaction_id) is not None
        assert not answered_early, "The step was answered before its commit."


@pytest.mark.parametrize(("fault", "again"), [("cut before", Done), ("cut behind", Replayed)])
async def test_connection_lost_at_the_commit_is_unknown_and_a_resent_step_has_one_effect(
    database: DatabaseUrls, no_cache: BalanceCache, fault: Fault, again: type[Outcome]
) -> None:
    """If the connection breaks at the commit, the outcome is Unknown; sending the step again gives it one effect."""
    async with Wire(database.service) as wire, _store(wire.url) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([opened("a", 0)])
        step = deposit("a", 7)
        wire.disturb(step.transaction_id.bytes, fault)
        assert await writer.perform([step]) == [Unknown()]
        [outcome] = await writer.perform([step])
        assert isinstance(outcome, again)
        assert (await _wallet(writer, "a")).balance_micros == 7


@pytest.mark.parametrize(
    ("at", "error", "outcome"),
    [
        ("LOAD", asyncpg.InternalClientError("got result for unknown protocol state 3"), NotDone()),
        ("WRITE", asyncpg.InternalClientError("got result for unknown protocol state 3"), Unknown()),
        ("WRITE", AttributeError("'NoneType' object has no attribute 'is_in_transaction'"), Unknown()),
    ],
    ids=["load", "commit", "unlisted at commit"],
)
async def test_failure_of_the_driver_counts_as_a_lost_connection(
    database: DatabaseUrls,
    no_cache: BalanceCache,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    error: Exception,
    outcome: Outcome,
) -> None:
    """If the driver fails, the batch is not bisected; its steps are NotDone before the commit and Unknown at it."""
    executed = list[str]()
    method = "fetchrow" if at == "LOAD" else "fetchval"
    fetch = getattr(asyncpg.Connection, method)

    async def breaking_off(connection: asyncpg.Connection, sql: str, *arguments: object) -> object:
        executed.append(sql)
        if sql == getattr(statements, at) and executed.count(sql) == 1:
            raise error
        return await fetch(connection, sql, *arguments)

    async with _store(database.service) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([opened("a", 0)])
        monkeypatch.setattr(asyncpg.Connection, method, breaking_off)
        assert await writer.perform([deposit("a"), deposit("not loaded yet")]) == [outcome, outcome]
        assert executed.count(getattr(statements, at)) == 1
        assert isinstance(await _wallet(writer, "a"), WalletState)


async def test_connection_lost_during_the_write_rolls_the_batch_back(
    database: DatabaseUrls, no_cache: BalanceCache
) -> None:
    """If the connection breaks while a batch is sent, the outcome is Unknown, and the whole batch is rolled back."""
    async with Wire(database.service) as wire, _store(wire.url) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([opened("a", 0)])
        wire.disturb(b"INSERT INTO ledger", "cut before")
        await _new_session(store)  # so that the statement is sent as text again
        assert await writer.perform([deposit("a"), deposit("a")]) == [Unknown(), Unknown()]
        assert (await _wallet(writer, "a")).version == 1


async def _new_session(store: Store) -> None:
    await store._writer.close()


@pytest.mark.slow
async def test_acknowledged_steps_survive_a_crash_of_the_database(no_cache: BalanceCache) -> None:
    """A SIGKILL of the cluster loses no acknowledged step, and the worker continues without a restart."""
    with migrated_postgres("wallet_saga.migrations") as server:
        async with _store(server.service_url) as store:
            writer = BatchWriter(store, no_cache, 1000, 20_000)
            await writer.perform([opened("a", 0)])
            outcomes = await writer.perform([deposit("a") for _ in range(100)])
            server.kill()
            assert outcomes == [Done()] * 100
            [late] = await writer.perform([deposit("a")])
            assert late in (NotDone(), Unknown())  # the worker may still use the old session
            server.start()
            assert (await _wallet(writer, "a")).balance_micros == 100


async def test_queue_accepts_the_first_steps_of_a_batch_that_fit(
    store: Store, no_cache: BalanceCache
) -> None:
    """If the queue has no room for all steps of a request, it takes the first ones and turns the others away."""
    writer = BatchWriter(store, no_cache, batch_max=10, queue_max=3)
    await writer.perform([opened("a", 0)])
    assert await writer.perform([deposit("a") for _ in range(5)]) == [Done()] * 3 + [TurnedAway()] * 2
    assert (await _wallet(writer, "a")).balance_micros == 3


# Past balances.


async def test_past_balance_is_that_of_the_last_posting_before_it(
    store: Store, owner: asyncpg.Connection
) -> None:
    """The bisection finds the same entry as a scan of the ledger, also if many entries have the same time."""
    random = Random(7)
    times = sorted(random.randrange(40) for _ in range(60))
    ledger = await _write_history(owner, random, times)
    for second in range(-1, 42):
        _, found = await store.balance_at("old", _at(second))
        past = [entry for entry, time_s in zip(ledger, times, strict=True) if time_s <= second]
        shown = (found.version, found.balance_micros, found.status) if found else None
        assert shown == (past[-1] if past else None), second


def _at(second: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)


async def _write_history(
    owner: asyncpg.Connection, random: Random, times: Sequence[int]
) -> list[tuple[int, int, str]]:
    """Writes one ledger entry per time (seconds), and returns the version, balance and status after each entry."""
    written, balance, status = [], 0, "active"
    for version, second in enumerate(times, 1):
        amount = random.randrange(100) if version == 1 or random.random() < 0.8 else 0
        if amount or version == 1:
            kind = "deposit"
        else:
            kind, status = ("unfrozen", "active") if status == "frozen" else ("frozen", "frozen")
        balance += amount
        transaction_id = uuid4() if kind == "deposit" else None
        await owner.execute(
            "INSERT INTO ledger VALUES ('old', $1, $2, $3, $4, $5, '@external', $6)",
            *(version, kind, transaction_id, amount, balance, _at(second)),
        )
        written.append((version, balance, status))
    await owner.execute(
        "INSERT INTO wallets VALUES ('old', 'USD', $1, $2, 0, $3, $4)",
        status,
        balance,
        len(times),
        _at(times[-1]),
    )
    return written


async def test_past_read_waits_for_the_running_batch(
    writer: BatchWriter, store: Store, owner: asyncpg.Connection
) -> None:
    """A read of a past balance waits for the current batch, because its postings have the time at which it began."""
    await writer.perform([opened("a", 0)])
    async with owner.transaction():
        await owner.execute("SELECT FROM wallets WHERE account_id = 'a' FOR UPDATE")
        depositing = asyncio.create_task(writer.perform([deposit("a", 5)]))
        while not await owner.fetchval(IS_BATCH_RUNNING):  # noqa: ASYNC110 -- the database sends no event for it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        looking = asyncio.create_task(store.balance_at("a", datetime.now(UTC)))
        while not (looking.done() or await owner.fetchval(IS_READ_WAITING)):  # noqa: ASYNC110 -- polls a database
            await asyncio.sleep(0.01)
        is_early = looking.done()
    await depositing
    _, wallet = await looking
    assert not is_early, "the read was answered before the batch was committed"
    assert wallet is not None
    assert (wallet.balance_micros, wallet.version) == (5, 2)


IS_BATCH_RUNNING = """SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""
IS_READ_WAITING = IS_BATCH_RUNNING.replace("granted", "NOT granted")


SLOW_LOOK = """SELECT 'USD' AS currency, 'active' AS status, 0::bigint AS balance_micros, 1::bigint AS version,
    $2::timestamptz AS at, $1::text, pg_advisory_xact_lock(4711)"""
"""A read of a past balance that lasts until the test releases a lock."""


async def test_batch_does_not_wait_for_a_past_read(
    writer: BatchWriter, store: Store, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch does not wait for a slow read of a past balance that began before it."""
    await writer.perform([opened("a", 0)])
    monkeypatch.setattr(statements, "BALANCE_AT", SLOW_LOOK)
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(4711)")
        looking = asyncio.create_task(store.balance_at("a", datetime.now(UTC)))
        await asyncio.wait([looking], timeout=0.3)
        [outcome] = await writer.perform([deposit("a")])
        assert not looking.done()
    await looking
    assert isinstance(outcome, Done)


# Rows read.


async def test_past_read_reads_few_blocks(store: Store, owner: asyncpg.Connection) -> None:
    """A read of a past balance reads few blocks, also if the wallet has a long history."""
    await owner.execute(
        "INSERT INTO ledger SELECT 'hot', n, 'deposit', gen_random_uuid(), 1, n, '@external', now()"
        " FROM generate_series(1, 20000) AS n"
    )
    await owner.execute("INSERT INTO wallets VALUES ('hot', 'USD', 'active', 20000, 0, 20000, now())")
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statements.BALANCE_AT}"
    [plan] = json.loads(await store._readers.fetchval(explain, "hot", datetime.now(UTC)))
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 200


# Migrations.


@pytest.fixture
def empty_database() -> Iterator[DatabaseUrls]:
    """A database without a schema."""
    with running_postgres() as server:
        yield DatabaseUrls(owner=server.owner_url, service=server.service_url)


@pytest.mark.slow
async def test_repeated_and_concurrent_migrations_leave_the_same_schema(
    empty_database: DatabaseUrls, database: DatabaseUrls
) -> None:
    """Concurrent or repeated migrations leave the same schema as one migration."""
    assert await asyncio.gather(*(_migrate(empty_database) for _ in range(3))) == [0, 0, 0]
    assert await _migrate(empty_database) == 0
    assert await _schema(empty_database) == await _schema(database)


async def _migrate(database: DatabaseUrls) -> int:
    only = {"WALLET_SHARD": "0", "WALLET_SHARDS": "1"}
    env = {**os.environ, "WALLET_DATABASE_URL": database.owner, **only}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "wallet_saga.migrations", env=env
    )
    return await process.wait()


async def _schema(database: DatabaseUrls) -> list[list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(database.owner)
    try:
        return [[tuple(row) for row in await connection.fetch(question)] for question in _SCHEMA]
    finally:
        await connection.close()


_SCHEMA = [
    """SELECT table_name, column_name, data_type, is_nullable, collation_name, generation_expression
       FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2",
    """SELECT table_name, grantee, privilege_type FROM information_schema.table_privileges
       WHERE table_schema = 'public' ORDER BY 1, 2, 3""",
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "SELECT version_num FROM alembic_version",
]


async def test_step_that_waited_too_long_is_dropped_from_the_queue(
    database: DatabaseUrls,
    owner: asyncpg.Connection,
    no_cache: BalanceCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step that no batch takes in time is NotDone, and is not performed when the database responds again."""
    monkeypatch.setattr("wallet_saga.worker.batch_writer.QUEUE_TIMEOUT_S", 0.3)
    async with _store(database.service) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([opened("a")])
        async with owner.transaction():
            await owner.execute("SELECT FROM wallets WHERE account_id = 'a' FOR UPDATE")
            taken = asyncio.create_task(writer.perform([deposit("a")]))
            await asyncio.sleep(0.1)
            assert await writer.perform([deposit("a", 5)]) == [NotDone()]
        [outcome] = await taken
        await writer.drain()
    assert isinstance(outcome, Done)
    assert await owner.fetchval("SELECT balance_micros FROM wallets WHERE account_id = 'a'") == TEN + 1
