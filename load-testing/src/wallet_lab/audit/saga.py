"""The saga's audit: every shard's books by themselves, both sides of every transfer, and what Redis shows."""

from collections.abc import Sequence
from importlib.resources import files
from uuid import UUID

import asyncpg
import msgspec
from redis.asyncio import Redis

_SHARD = (files("wallet_lab.audit") / "saga_shard.sql").read_text()
_PAID = (
    "SELECT transfer_id, state, amount_micros FROM transfers WHERE kind = 'transfer' AND state <> 'refused'"
)
_RECEIVED = """
    SELECT c.transfer_id, c.reason, coalesce(sum(l.amount_micros), 0)::bigint
    FROM credits c LEFT JOIN ledger l ON l.transfer_id = c.transfer_id AND l.kind = 'transfer' AND l.amount_micros > 0
    GROUP BY c.transfer_id
"""
_SHOWN = "SELECT account_id, version, balance_micros FROM wallets WHERE account_id = ANY($1)"

_Paid = dict[UUID, tuple[str, int]]
_Received = dict[UUID, tuple[str | None, int]]


async def audit_saga(database_urls: Sequence[str], redis_url: str) -> list[str]:
    """Every promise the saga's databases break, a sentence each. Run it when no load is on."""
    connections = [await asyncpg.connect(url) for url in database_urls]
    try:
        found = [
            f"shard {n}: {sentence}"
            for n, c in enumerate(connections)
            for (sentence,) in await c.fetch(_SHARD)
        ]
        paid: _Paid = {row[0]: (row[1], row[2]) for c in connections for row in await c.fetch(_PAID)}
        received: _Received = {
            row[0]: (row[1], row[2]) for c in connections for row in await c.fetch(_RECEIVED)
        }
        return found + _two_sides(paid, received) + await _cache(connections, redis_url)
    finally:
        for connection in connections:
            await connection.close()


def _two_sides(paid: _Paid, received: _Received) -> list[str]:
    """A completed transfer was credited with the same amount, a refunded one was not, and no credit is unpaid."""
    found = [f"transfer {id_} was credited, but no shard paid it" for id_ in received.keys() - paid.keys()]
    for id_, (state, amount) in paid.items():
        reason, credited = received.get(id_, (None, 0))
        expected = {"completed": amount, "refunded": 0}.get(state, credited)
        if credited != expected:
            found.append(
                f"transfer {id_} of {amount} micros is {state}, but {credited} were credited ({reason})"
            )
    return found


async def _cache(connections: Sequence[asyncpg.Connection], redis_url: str) -> list[str]:
    """A balance in Redis is the shard's: neither older, now that no load is on, nor newer, nor another."""
    found = []
    async with Redis.from_url(redis_url) as redis:
        keys = [key async for key in redis.scan_iter(match="wallet:*", count=1000)]
        entries = dict(zip(keys, await redis.mget(keys), strict=True)) if keys else {}
    names = [key.decode().removeprefix("wallet:") for key in entries]
    truth = {row[0]: (row[1], row[2]) for c in connections for row in await c.fetch(_SHOWN, names)}
    for name, entry in zip(names, entries.values(), strict=True):
        if entry is not None and (shown := _shown(entry)) != truth.get(name):
            found.append(f"Redis shows {name} as {shown} (version, micros); its shard has {truth.get(name)}")
    return found


def _shown(entry: bytes) -> tuple[int, int]:
    version, _, body = entry.partition(b" ")
    document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    whole, _, fraction = bytes(document["balance"]).decode().partition(".")
    return int(version), int(whole + fraction.ljust(6, "0"))
