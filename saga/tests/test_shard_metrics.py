"""The metrics of a worker's shard: whether its books balance, and its unfinished sagas."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from saga_support.scene import ONE_SHARD

from wallet_lab.testing import DatabaseUrls
from wallet_saga.domain.commands import CreditWallet, DebitWallet, Deposit, OpenWallet
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.shard_metrics import shard_watched
from wallet_saga.worker.store import Store

pytestmark = pytest.mark.anyio

TEN = 10_000_000
USD = {"shard": "7", "currency": "USD"}


def metric(name: str, **labels: str) -> float | None:
    """Returns the value of a metric in this process."""
    return REGISTRY.get_sample_value(name, labels)


async def looked_at(store: Store) -> None:
    """Returns after one complete check of the shard."""
    before = metric("wallet_books_checked_seconds", shard="7")
    async with shard_watched(7, store, 60.0), asyncio.timeout(60):
        while metric("wallet_books_checked_seconds", shard="7") == before:  # noqa: ASYNC110 -- a metric cannot call
            await asyncio.sleep(0.01)


async def test_books_balance_while_money_is_in_transit(store: Store, writer: BatchWriter) -> None:
    """While transfers to other shards are open, their money is in transit and the books balance."""
    await writer.perform([OpenWallet(uuid4(), "payer", TEN, "USD", None, None)])
    await writer.perform([DebitWallet(uuid4(), "payer", "elsewhere", 4, "USD", None, None)])
    await writer.perform([CreditWallet(uuid4(), "elsewhere", "payer", 1, "USD")])
    await looked_at(store)
    assert metric("wallet_books_imbalance_micros", **USD) == 0
    assert metric("wallet_books_in_transit_micros", **USD) == 4 - 1


async def test_books_differ_by_a_micro_without_a_posting(
    store: Store, writer: BatchWriter, database: DatabaseUrls
) -> None:
    """If a wallet's balance grows by one micro without a posting, the books are unbalanced by one micro."""
    await writer.perform([OpenWallet(uuid4(), "rich", TEN, "USD", None, None)])
    owner = await asyncpg.connect(database.owner)
    await owner.execute("UPDATE wallets SET balance_micros = balance_micros + 1")
    await owner.close()
    await looked_at(store)
    assert metric("wallet_books_imbalance_micros", **USD) == 1


async def test_moved_money_without_postings_is_counted(
    store: Store, writer: BatchWriter, database: DatabaseUrls
) -> None:
    """If money moves between two wallets without postings, both count as wrong, although the books sum to 0."""
    for name in ("loser", "winner", "untouched"):
        await writer.perform([OpenWallet(uuid4(), name, TEN, "USD", None, None)])
        await writer.perform([Deposit(uuid4(), name, 1, "USD", None, None)])
    await looked_at(store)
    assert metric("wallet_books_unexplained_wallets", shard="7") == 0
    await as_owner(
        database,
        "UPDATE wallets SET balance_micros = balance_micros + CASE account_id WHEN 'winner' THEN 1 ELSE -1 END"
        " WHERE account_id <> 'untouched'",
    )
    await looked_at(store)
    assert metric("wallet_books_imbalance_micros", **USD) == 0
    assert metric("wallet_books_unexplained_wallets", shard="7") == 2


@pytest.mark.parametrize(
    ("planted", "rows"),
    [
        (
            "INSERT INTO ledger SELECT 'a', 3, kind, transfer_id, 1, 12, '@external', at FROM ledger LIMIT 1",
            1,
        ),
        ("UPDATE wallets SET balance_micros = 12", 1),
        ("ALTER TABLE ledger DISABLE TRIGGER USER; UPDATE ledger SET amount_micros = 2 WHERE version = 2", 1),
        ("ALTER TABLE ledger DISABLE TRIGGER USER; DELETE FROM ledger WHERE version = 2", 1),
        ("UPDATE wallets SET updated_at = now()", 0),
    ],
    ids=["posting beyond", "balance", "amount", "posting missing", "nothing of the money"],
)
async def test_comparison_finds_a_balance_that_its_last_posting_does_not_explain(
    store: Store, writer: BatchWriter, database: DatabaseUrls, planted: str, rows: int
) -> None:
    """The comparison counts a wallet whose balance, last posting's balance or last posting's amount do not agree."""
    await writer.perform([OpenWallet(uuid4(), "a", 10, "USD", None, None)])
    await writer.perform([Deposit(uuid4(), "a", 1, "USD", None, None)])
    await as_owner(database, planted)
    compared = await store.compare("", 10)
    assert (compared.wallets, compared.last, compared.unexplained) == (1, "a", rows)


async def test_comparison_reads_no_more_than_one_slice(store: Store, writer: BatchWriter) -> None:
    """A comparison reads at most one slice, and the next one begins after its last wallet."""
    await writer.perform([OpenWallet(uuid4(), name, 1, "USD", None, None) for name in "abcde"])
    slices = [await store.compare(after, 2) for after in ("", "b", "d", "e")]
    assert [(found.wallets, found.last) for found in slices] == [(2, "b"), (2, "d"), (1, "e"), (0, None)]


async def as_owner(database: DatabaseUrls, sql: str) -> None:
    """Changes the database as its owner, who has all rights."""
    owner = await asyncpg.connect(database.owner)
    await owner.execute(sql)
    await owner.close()


async def test_unfinished_sagas_are_counted(database: DatabaseUrls, no_cache: BalanceCache) -> None:
    """A saga is unfinished from its debit until it ends, and abandoned once its lease has expired."""
    async with Store(database.service, timedelta(0), ONE_SHARD) as store:
        writer = BatchWriter(store, no_cache, batch_max=10, queue_max=10)
        await looked_at(store)
        assert [metric(f"wallet_sagas_{state}") for state in ("unfinished", "abandoned")] == [0, 0]
        assert metric("wallet_saga_oldest_seconds") == 0
        await writer.perform([OpenWallet(uuid4(), "payer", TEN, "USD", None, None)])
        await writer.perform([DebitWallet(uuid4(), "payer", "elsewhere", 1, "USD", None, None)])
        await asyncio.sleep(0.05)
        await looked_at(store)
    assert [metric(f"wallet_sagas_{state}") for state in ("unfinished", "abandoned")] == [1, 1]
    assert 0.05 <= (metric("wallet_saga_oldest_seconds") or 0) < 60
