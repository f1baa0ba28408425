"""The audit of cqrs: the event store by itself, the read model against the events, and what Redis shows."""

from collections.abc import Sequence
from importlib.resources import files

import asyncpg
import msgspec
from redis.asyncio import Redis

_FILES = files("wallet_lab.audit")
_EVENTS, _FOLDED, _SHOWN = (
    (_FILES / f"{name}.sql").read_text() for name in ("cqrs_events", "cqrs_folded", "cqrs_shown")
)
_STOPPED = "SELECT stopped FROM read_model.checkpoint WHERE stopped IS NOT NULL"
_DIFFERENCES_MAX = 20

_Wallets = dict[str, tuple[object, ...]]
"""By account: currency, status, balance, version, time of the last event, digest of the postings."""


async def audit_cqrs(event_store_url: str, read_urls: Sequence[str], redis_url: str) -> list[str]:
    """Every promise the databases of cqrs break, a sentence each. Run it when no load is on."""
    events = await asyncpg.connect(event_store_url)
    shards = [await asyncpg.connect(url) for url in read_urls]
    try:
        found = [sentence for (sentence,) in await events.fetch(_EVENTS)]
        found += [
            f"a read shard stands still: {why}" for shard in shards for (why,) in await shard.fetch(_STOPPED)
        ]
        folded = await _wallets(events, _FOLDED)
        shown: _Wallets = {}
        for shard in shards:
            shown |= await _wallets(shard, _SHOWN)
        return found + _differences(folded, shown) + await _cache(redis_url, folded)
    finally:
        for connection in (events, *shards):
            await connection.close()


async def _wallets(connection: asyncpg.Connection, sql: str) -> _Wallets:
    return {row[0]: tuple(row[1:]) for row in await connection.fetch(sql)}


def _differences(folded: _Wallets, shown: _Wallets) -> list[str]:
    differing = [name for name in folded.keys() | shown.keys() if folded.get(name) != shown.get(name)]
    return [
        f"the read model has {name} as {shown.get(name)}, its events as {folded.get(name)}"
        for name in sorted(differing)[:_DIFFERENCES_MAX]
    ]


async def _cache(redis_url: str, folded: _Wallets) -> list[str]:
    """A balance in Redis is that of the events: neither older, now that no load is on, nor newer, nor another."""
    async with Redis.from_url(redis_url) as redis:
        keys = [key async for key in redis.scan_iter(match="wallet:*", count=1000)]
        entries = await redis.mget(keys) if keys else []
    found = []
    for key, entry in zip(keys, entries, strict=True):
        name = key.decode().removeprefix("wallet:")
        truth = (folded[name][3], folded[name][2]) if name in folded else None
        if isinstance(entry, bytes) and (shown := _shown(entry)) != truth:
            found.append(f"Redis shows {name} as {shown} (version, micros); its events say {truth}")
    return found[:_DIFFERENCES_MAX]


def _shown(entry: bytes) -> tuple[int, int]:
    version, _, body = entry.split(b" ", 2)
    document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    whole, _, fraction = bytes(document["balance"]).decode().partition(".")
    return int(version), int(whole + fraction.ljust(6, "0"))
