"""The saga's audit: the ledger of every shard, both sides of every transfer, and the balances in Redis."""

import asyncio
from collections.abc import Sequence

import asyncpg

from wallet_lab.audit.cache import Standing, check_cache
from wallet_lab.audit.comparing import Side, compare
from wallet_lab.audit.questions import ask, merged, read_questions
from wallet_lab.audit.sessions import looking_at
from wallet_lab.report.model import Check

_SHARD = read_questions("saga_shard.sql")
_PAID, _CREDITED = read_questions("saga_sides.sql")
_STANDING = "SELECT account_id, version, balance_micros FROM wallets WHERE account_id = ANY($1)"


async def audit_saga(database_urls: Sequence[str], redis_url: str) -> list[Check]:
    """Check every guarantee of the saga's databases and of its cache. Run it without load."""
    async with looking_at(database_urls) as shards:

        async def standing(accounts: Sequence[str]) -> dict[str, Standing]:
            rows = await asyncio.gather(*(shard.fetch(_STANDING, accounts) for shard in shards))
            return {account: (version, micros) for found in rows for account, version, micros in found}

        return [*await check_shards(shards), await check_cache(redis_url, standing)]


async def check_shards(shards: Sequence[asyncpg.Connection]) -> list[Check]:
    """Check every guarantee of the saga's databases."""
    books = await asyncio.gather(
        *(ask(shard, _SHARD, f"shard {number}: ") for number, shard in enumerate(shards))
    )
    # The credit of a completed transfer has the same amount, a refunded transfer has no credit, and every credit has a
    # debit.
    paid, credited = (Side(side.name, side.sql, shards) for side in (_PAID, _CREDITED))
    sides = await compare("both sides of a transfer agree", paid, credited)
    return [*merged(check for checks in books for check in checks), sides]
