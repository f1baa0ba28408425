"""The audit of cqrs: the event store, the read model against the events, and the balances in Redis."""

import asyncio
from collections.abc import Sequence
from importlib.resources import files

import asyncpg

from wallet_lab.audit.cache import Standing, check_cache
from wallet_lab.audit.comparing import Side, compare
from wallet_lab.audit.questions import ask, merged, read_questions
from wallet_lab.audit.sessions import looking_at
from wallet_lab.report.model import Check

CACHE_TTL_S = 10.0
"""Seconds after which the old balance expires if Redis missed its update (docs/cqrs-protocol.md)."""

_FOLD = (files("wallet_lab.audit") / "cqrs_fold.sql").read_text()
_EVENTS = read_questions("cqrs_events.sql")
_SHARD = read_questions("cqrs_shard.sql")
_SHOWN = (files("wallet_lab.audit") / "cqrs_shown.sql").read_text()
_STANDING = "SELECT account_id, version, balance_micros FROM folded WHERE account_id = ANY($1)"


async def audit_cqrs(event_store_url: str, read_urls: Sequence[str], redis_url: str) -> list[Check]:
    """Check every guarantee of the databases and the cache of cqrs. Run it without load."""
    async with looking_at([event_store_url, *read_urls]) as (events, *shards):
        checks = await check_databases(events, shards)

        async def standing(accounts: Sequence[str]) -> dict[str, Standing]:
            rows = await events.fetch(_STANDING, accounts)
            return {account: (version, micros) for account, version, micros in rows}

        return [*checks, await check_cache(redis_url, standing, old_for_s=CACHE_TTL_S)]


async def check_databases(events: asyncpg.Connection, shards: Sequence[asyncpg.Connection]) -> list[Check]:
    """Check every guarantee of the databases of cqrs. Each connection must be in a transaction."""
    await events.execute(_FOLD)
    books = await ask(events, _EVENTS)
    parts = await asyncio.gather(
        *(ask(shard, _SHARD, f"read shard {number}: ") for number, shard in enumerate(shards))
    )
    model = await compare(
        "the read model is the fold of the events",
        Side("the events say", "SELECT * FROM folded", [events]),
        Side("the read model", _SHOWN, shards),
    )
    return [*books, *merged(check for checks in parts for check in checks), model]
