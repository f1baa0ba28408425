"""The read model's ledger: each shard's wallets and system accounts sum to zero, unless money is created or lost."""

import asyncio
import os
import sys

import asyncpg
import pytest
from cqrs_support.histories import batches, project, random_log

from wallet_cqrs.projection.store import Store
from wallet_kernel.runtime.ledger_metrics import Totals
from wallet_lab.testing import DatabaseUrls

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SYSTEM = "SELECT name, currency, balance_micros FROM read_model.system_accounts ORDER BY name, currency"


async def totals(shard: DatabaseUrls) -> list[Totals]:
    """Returns the ledger sums of this shard, as the projection reports them."""
    async with Store(shard.service) as store:
        return await store.totals()


async def as_owner(shard: DatabaseUrls, sql: str) -> list[asyncpg.Record]:
    """Runs statements with all privileges."""
    connection = await asyncpg.connect(shard.owner)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql)
        return rows
    finally:
        await connection.close()


async def test_books_balance_and_transit_accounts_sum_to_zero(read_shards: list[DatabaseUrls]) -> None:
    """After any commands, each shard sums to 0, and all @transit accounts at one position sum to 0."""
    for partition, shard in enumerate(read_shards):
        await project(shard, batches(random_log().events, partition))
    books = [book for shard in read_shards for book in await totals(shard)]
    assert len(books) >= 2
    assert [book.imbalance_micros for book in books] == [0] * len(books)
    assert any(book.in_transit_micros for book in books)
    assert sum(book.in_transit_micros for book in books) == 0


async def test_transfer_known_to_one_shard_only_is_in_transit(read_shards: list[DatabaseUrls]) -> None:
    """If a partition lags, the difference is in transit, and each shard's ledger still balances."""
    written = [batches(random_log().events, partition) for partition in (0, 1)]
    half = len(written[1]) // 2
    await project(read_shards[0], written[0])
    await project(read_shards[1], written[1][:half])
    books = [book for shard in read_shards for book in await totals(shard)]
    assert [book.imbalance_micros for book in books] == [0] * len(books)
    assert sum(book.in_transit_micros for book in books) != 0


async def test_books_differ_by_a_micro_without_a_posting(read_shards: list[DatabaseUrls]) -> None:
    """If a wallet's balance is one micro too low, the ledger's sum differs by one micro."""
    await project(read_shards[0], batches(random_log().events, 0))
    await as_owner(
        read_shards[0],
        "UPDATE read_model.wallets SET balance_micros = balance_micros - 1 WHERE account_id ="
        " (SELECT min(account_id) FROM read_model.wallets WHERE balance_micros > 0)",
    )
    assert sum(book.imbalance_micros for book in await totals(read_shards[0])) == -1


async def test_check_finds_a_balance_that_its_postings_do_not_explain(
    read_shards: list[DatabaseUrls],
) -> None:
    """The check finds a wallet whose balance differs from its last posting."""
    await project(read_shards[0], batches(random_log().events, 0))
    async with Store(read_shards[0].service) as store:
        honest = await store.compare("", 1000)
        await as_owner(
            read_shards[0],
            "UPDATE read_model.wallets SET balance_micros = balance_micros + 1 WHERE account_id ="
            " (SELECT min(account_id) FROM read_model.wallets WHERE balance_micros > 0)",
        )
        planted = await store.compare("", 1000)
    assert honest.wallets > 1
    assert (honest.unexplained, planted.unexplained) == (0, 1)


async def test_migration_computes_the_system_accounts_of_an_old_read_model(
    read_shards: list[DatabaseUrls],
) -> None:
    """The migration computes the system accounts from the existing postings."""
    shard = read_shards[0]
    await project(shard, batches(random_log().events, 0))
    kept = await as_owner(shard, SYSTEM)
    await as_owner(shard, "DROP TABLE read_model.system_accounts")
    await as_owner(shard, "DROP TABLE public.topology")
    await as_owner(shard, "ALTER TABLE read_model.checkpoint DROP COLUMN epoch, DROP COLUMN diverged")
    await as_owner(shard, "UPDATE alembic_version SET version_num = '0001'")
    migration = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wallet_cqrs.migrations", "read"),
        env={
            **os.environ,
            "WALLET_DATABASE_URL": shard.owner,
            "WALLET_SHARD": "0",
            "WALLET_SHARDS": str(len(read_shards)),
        },
    )
    assert await migration.wait() == 0
    assert await as_owner(shard, SYSTEM) == kept
