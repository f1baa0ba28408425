"""Seeds the wallets of a baseline, in one transaction per database."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files

import asyncpg

from wallet_kernel.ids import new_transaction_id
from wallet_kernel.topology import Topology
from wallet_lab.stack.running import RunningStack

_SEED = (files("wallet_lab.architectures.acid") / "seeding.sql").read_text()


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int, currency: str) -> None:
    """Open the wallets that do not exist yet, with their ledger entries and their openings."""
    urls = stack.database_urls
    topology = Topology.even(len(urls))
    shards: dict[str, list[str]] = defaultdict(list)
    for account in accounts:
        shards[urls[topology.shard_of(account)]].append(account)
    await asyncio.gather(*(_seed_shard(url, mine, balance_micros, currency) for url, mine in shards.items()))


async def _seed_shard(url: str, accounts: Sequence[str], balance_micros: int, currency: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        ids = [new_transaction_id(account) for account in accounts]
        await connection.execute(_SEED, accounts, ids, balance_micros, currency)
    finally:
        await connection.close()
