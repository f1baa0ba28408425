"""The rows in the writer's memory, on a real Postgres: equal to the database, bounded, and never a wrong assumption."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from saga_support.scene import ONE_SHARD

from wallet_kernel.database import CommitUnknown
from wallet_kernel.refusals import Refusal
from wallet_lab.testing import DatabaseUrls
from wallet_saga.domain.commands import (
    ChangeStatus,
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Deposit,
    Done,
    Flush,
    OpenWallet,
    ReadWallet,
    RefundTransfer,
    Refused,
    Replayed,
    Unknown,
    WalletState,
)
from wallet_saga.worker import store as store_module
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.known_rows import RecentRows
from wallet_saga.worker.store import Store

pytestmark = pytest.mark.anyio

SEED = """
WITH opened AS (INSERT INTO wallets VALUES ('seeded', 'USD', 'active', 5, 0, 1, now()))
INSERT INTO ledger VALUES ('seeded', 1, 'opening', gen_random_uuid(), 5, 5, '@external', now())
"""
"""Opens a wallet like the bulk loading of the lab, which holds the batch lock meanwhile."""


def opened(name: str) -> OpenWallet:
    return OpenWallet(uuid4(), name, 100, "USD")


def deposit(name: str) -> Deposit:
    return Deposit(uuid4(), name, 1, "USD")


def debit(key: str | None = None) -> DebitWallet:
    return DebitWallet(uuid4(), "a", "payee", 10, "USD", key, b"meaning" if key else None)


def credit(account: str = "a") -> CreditWallet:
    return CreditWallet(uuid4(), "payer", account, 10, "USD")


async def balance(writer: BatchWriter, name: str = "a") -> int:
    [wallet] = await writer.perform([ReadWallet(name)])
    assert isinstance(wallet, WalletState)
    return wallet.balance_micros


# Duplicates of rows that are no longer in memory.


@pytest.mark.parametrize("key", [None, "k"], ids=["id", "id and key"])
async def test_duplicate_of_a_forgotten_payment_gets_the_first_outcome(
    writer: BatchWriter, store: Store, key: str | None
) -> None:
    """The database rejects a payment whose row is not in memory. The batch is decided again with the first row."""
    first = debit(key)
    await writer.perform([opened("a"), first])
    store._known.clear()
    again, fresh = await writer.perform([first, deposit("a")])
    assert isinstance(again, Replayed)
    assert again.transfer.transaction_id == first.transaction_id
    assert (fresh, await balance(writer)) == (Done(), 91)


async def test_forgotten_key_replays_its_first_payment(writer: BatchWriter, store: Store) -> None:
    """A new payment with the key of a payment that is not in memory replays that payment."""
    first, again = debit("k"), debit("k")
    await writer.perform([opened("a"), first])
    store._known.clear()
    outcome, fresh = await writer.perform([again, deposit("a")])
    assert isinstance(outcome, Replayed)
    assert outcome.transfer.transaction_id == first.transaction_id
    assert (fresh, await balance(writer)) == (Done(), 91)


async def test_duplicate_of_a_forgotten_credit_gets_the_first_outcome(
    writer: BatchWriter, store: Store
) -> None:
    """A credit moves money once, also if its barrier row is not in memory."""
    first = credit()
    await writer.perform([opened("a"), first])
    store._known.clear()
    assert await writer.perform([first, deposit("a")]) == [Done(), Done()]
    assert await balance(writer) == 111


async def test_late_duplicate_of_a_forgotten_refusal_stays_refused(writer: BatchWriter, store: Store) -> None:
    """A refused credit stays refused after its cause is gone, also if its barrier row is not in memory."""
    late = credit()
    await writer.perform([opened("a"), ChangeStatus("a", frozen=True), late])
    await writer.perform([ChangeStatus("a", frozen=False)])
    store._known.clear()
    assert await writer.perform([late]) == [Refused(Refusal.WALLET_FROZEN)]
    assert await balance(writer) == 100


@pytest.mark.parametrize("ending", ["complete", "refund"])
async def test_forgotten_open_saga_can_end(writer: BatchWriter, store: Store, ending: str) -> None:
    """A saga whose row is not in memory is loaded before it ends, and it ends once."""
    first = debit()
    await writer.perform([opened("a"), first])
    step: Command = (
        CompleteTransfer(first.transaction_id, "a")
        if ending == "complete"
        else RefundTransfer(first.transaction_id, "a", Refusal.WALLET_FROZEN)
    )
    for _ in range(2):
        store._known.clear()
        assert await writer.perform([step]) == [Done()]
    [wallet] = await writer.perform([ReadWallet("a")])
    assert isinstance(wallet, WalletState)
    assert (wallet.balance_micros, wallet.in_flight_micros) == (90 if ending == "complete" else 100, 0)


# Another session that adds rows.


async def test_wallet_that_another_session_adds_is_found(
    writer: BatchWriter, owner: asyncpg.Connection
) -> None:
    """The worker does not remember that a wallet does not exist, because bulk loading may add it."""
    assert await writer.perform([deposit("seeded")]) == [Refused(Refusal.WALLET_NOT_FOUND)]
    await owner.execute(SEED)
    assert await writer.perform([deposit("seeded")]) == [Done()]


async def test_wallet_that_is_added_while_a_batch_opens_it_is_not_opened_twice(
    writer: BatchWriter, owner: asyncpg.Connection
) -> None:
    """If bulk loading adds a wallet after the batch has looked for it, the batch is decided again."""
    await writer.perform([opened("a")])
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(1)")
        opening = asyncio.create_task(writer.perform([opened("seeded"), deposit("a")]))
        await asyncio.sleep(0.2)  # the worker's statement, which does not see the wallet, waits for the lock
        await owner.execute(SEED)
    assert await opening == [Refused(Refusal.WALLET_EXISTS), Done()]
    assert await balance(writer, "seeded") == 5


# Memory and the database.


async def test_batch_is_dated_after_it_has_the_batch_lock(
    writer: BatchWriter, owner: asyncpg.Connection
) -> None:
    """The time of a batch is later than that of every past read before it, because both take the batch lock."""
    await writer.perform([opened("a")])
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(1)")
        depositing = asyncio.create_task(writer.perform([deposit("a")]))
        await asyncio.sleep(0.2)
        waited_until = await owner.fetchval("SELECT clock_timestamp()")
    assert await depositing == [Done()]
    times = await owner.fetchrow(
        "SELECT w.updated_at, l.at, t.started_at FROM wallets w, ledger l, transfers t"
        " WHERE l.version = 2 AND t.kind = 'deposit'"
    )
    assert min(times) > waited_until


async def test_rows_are_forgotten_after_an_unknown_outcome(
    writer: BatchWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an unknown outcome the worker loads its rows again, because the batch may have been committed."""
    await writer.perform([opened("a")])
    step = deposit("a")
    monkeypatch.setattr(store_module, "autocommit", loses_reply)
    assert await writer.perform([step]) == [Unknown()]
    monkeypatch.undo()
    [again, fresh] = await writer.perform([step, deposit("a")])
    assert isinstance(again, Replayed)
    assert (fresh, await balance(writer)) == (Done(), 102)


async def loses_reply(statement: Awaitable[object]) -> None:
    """Commits the statement, but loses the reply."""
    await statement
    raise CommitUnknown("the reply was lost")


async def test_memory_is_bounded_between_batches_and_holds_every_row_of_a_batch(
    database: DatabaseUrls, no_cache: BalanceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch may have more rows than the memory keeps. After it, the oldest rows are forgotten."""
    for limit in ("WALLETS_MAX", "TRANSFERS_MAX", "CREDITS_MAX"):
        monkeypatch.setattr(f"wallet_saga.worker.known_rows.{limit}", 10)
    async with Store(database.service, timedelta(minutes=1), ONE_SHARD) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        names = [f"w{n}" for n in range(50)]
        await writer.perform([opened(name) for name in names])
        for _ in range(2):
            outcomes = await writer.perform([credit(name) for name in names])
            assert outcomes == [Done()] * 50
        await writer.perform([Flush()])
        known = store._known
        assert [len(rows) for rows in (known._wallets, known._transfers, known._credits)] == [10, 10, 10]


def test_rows_that_changed_recently_are_kept() -> None:
    """`trim` forgets the rows that were loaded or changed the longest time ago."""
    rows: RecentRows[str, int] = RecentRows(2)
    for number, key in enumerate("abca"):
        rows.put(key, number)
    assert rows.of("abc") == [3, 1, 2]
    rows.trim()
    assert rows.of("abc") == [3, 2]
    assert rows.missing("abc") == {"b"}


async def test_times_are_those_of_the_database_and_never_decrease(
    writer: BatchWriter, store: Store, owner: asyncpg.Connection
) -> None:
    """Outcomes show the stored times. A wallet's time never decreases, also if the clock is set back."""
    begin = datetime.now(UTC)
    [wallet] = await writer.perform([opened("a")])
    assert isinstance(wallet, WalletState)
    assert begin <= wallet.updated_at == await owner.fetchval("SELECT updated_at FROM wallets")
    ahead = begin + timedelta(hours=1)
    await owner.execute("UPDATE wallets SET updated_at = $1", ahead)
    store._known.clear()
    step = debit()
    _, again, wallet = await writer.perform([step, step, ReadWallet("a")])
    assert isinstance(wallet, WalletState)
    assert isinstance(again, Replayed)
    stored = await owner.fetchrow(
        "SELECT w.updated_at, l.at, t.started_at, t.ended_at, t.lease_until FROM wallets w, ledger l, transfers t"
        " WHERE l.version = 2 AND t.kind = 'transfer'"
    )
    assert wallet.updated_at == stored["updated_at"] == stored["at"] == ahead
    assert begin <= again.transfer.started_at == stored["started_at"] < ahead
    assert (again.transfer.ended_at, stored["ended_at"]) == (None, None)
    assert stored["lease_until"] - stored["started_at"] == timedelta(minutes=1)
