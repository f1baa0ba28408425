"""Seeds the saga's wallets, in one transaction per shard."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files

import asyncpg

from wallet_kernel.ids import new_transaction_id
from wallet_kernel.slots import SLOTS, slot_of
from wallet_lab.stack.running import RunningStack

_SEED = (files("wallet_lab.architectures.saga") / "seeding.sql").read_text()
_BEGIN = "SELECT pg_advisory_xact_lock(1)"  # the worker's lock: one writer per shard


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int, currency: str) -> None:
    """Open the wallets that do not exist yet, with their ledger entries and their sagas. Meanwhile, writes wait."""
    urls = stack.database_urls
    shards: dict[str, list[str]] = defaultdict(list)
    for account in accounts:
        shards[urls[slot_of(account) * len(urls) // SLOTS]].append(account)
    await asyncio.gather(*(_seed_shard(url, mine, balance_micros, currency) for url, mine in shards.items()))


async def _seed_shard(url: str, accounts: Sequence[str], balance_micros: int, currency: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(_BEGIN)
            ids = [new_transaction_id(account) for account in accounts]
            await connection.execute(_SEED, accounts, ids, balance_micros, currency)
    finally:
        await connection.close()
