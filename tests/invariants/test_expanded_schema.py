"""The databases get columns that the running services do not know, as in the first step of a rolling upgrade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import asyncpg
import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.names import FAR, NEAR
from tests.blackbox.stack import Stack

OpenWallet = Callable[..., str]
TABLES = """
SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""
pytestmark = pytest.mark.slow


async def alter_tables(stack: Stack, change: str) -> int:
    """Changes every table of every database. Returns the number of tables."""
    changed = 0
    for url in stack.database_urls:
        owner = await asyncpg.connect(url)
        try:
            for (table,) in await owner.fetch(TABLES):
                await owner.execute(f"ALTER TABLE {table} {change}")
                changed += 1
        finally:
            await owner.close()
    return changed


@pytest.fixture
def expand(faults: Stack) -> Iterator[Callable[[], None]]:
    """Adds a column to every table, and drops it at the end."""

    def expand() -> None:
        assert asyncio.run(alter_tables(faults, "ADD COLUMN added_later text DEFAULT 'later'")) > 0

    yield expand
    asyncio.run(alter_tables(faults, "DROP COLUMN IF EXISTS added_later"))


def use_every_operation(api: WalletApi, open_wallet: OpenWallet) -> None:
    """Sends every operation of the contract at least once: with and without a key, replayed and refused."""
    payer, payee = open_wallet(100, slots=NEAR), open_wallet(0, slots=FAR)
    for key in (None, "key", "key"):
        transfer = api.transfer(payer, payee, "1", key=key)
        assert transfer.status == 201, transfer
    assert api.transfer(payer, payee, "1000").status == 409
    assert api.transfer(payer, "nobody-here", "1").status == 404
    assert api.deposit(payee, "5").status == 201
    assert api.withdraw(payee, "7").status == 201
    assert [api.set_status(payee, status).status for status in ("frozen", "active")] == [200, 200]
    assert api.close_wallet(payee).status == 200
    assert api.balance(payer).money("balance") == "98"
    assert api.statement(payer).status == 200
    assert transfer.transaction_id is not None
    assert api.transfer_document(transfer.transaction_id).document["status"] == "success"
    moment = str(api.balance(payer).document["lastUpdated"])
    assert api.balance(payer, at=moment).money("balance") == "98"


def test_services_work_while_their_tables_have_more_columns(
    expand: Callable[[], None], api: WalletApi, open_wallet: OpenWallet
) -> None:
    """No operation fails while a later version's columns are added to or dropped from every table."""
    use_every_operation(api, open_wallet)
    expand()
    use_every_operation(api, open_wallet)
