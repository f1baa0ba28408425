"""The relations of cqrs: events and decisions, the read model, snapshots, and the balances in Redis."""

from collections.abc import Sequence
from importlib.resources import files
from uuid import UUID

import duckdb

from wallet_lab.checker.cache_entries import Entry, cache_settings, read_cache
from wallet_lab.checker.extraction import Database, add, copy_database, copy_durability, sections

READS = "positions"
CACHE_TTL_US = 10_000_000
"""How long a cached balance lives (docs/cqrs-protocol.md). It may be old if Redis missed its update."""
_FOLDER = files("wallet_lab.architectures.cqrs")
_EVENTS = sections((_FOLDER / "events.sql").read_text())
_READ_SHARD = sections((_FOLDER / "read_shard.sql").read_text())
_HOLDERS = [
    # holder, is_complete, is_current, may_be_older, expires_within_us, lists_postings, stores
    ("read model", True, True, False, None, True, "shard currency status updated_us"),
    ("snapshots", False, False, False, None, False, "currency status updated_us"),
    ("cache", False, True, True, CACHE_TTL_US, False, "currency status updated_us position epoch expires_us"),
]


async def extract(
    evidence: duckdb.DuckDBPyConnection, events: Database, shards: Sequence[Database], cache_url: str
) -> None:
    """Add all relations of quiescent cqrs to the evidence."""
    add(evidence, "holders", _HOLDERS)
    await copy_database(evidence, events, _EVENTS)
    for shard in shards:
        await copy_database(evidence, shard, _READ_SHARD)
    for database in (events, *shards):
        await copy_durability(evidence, database)
    add(evidence, "wallets", await read_cache(cache_url, "balance:", _parse))
    add(evidence, "durability", await cache_settings(cache_url, ("balance:*",)))


async def extract_wallets(evidence: duckdb.DuckDBPyConnection, shards: Sequence[Database]) -> None:
    """Add only the stored wallets."""
    for shard in shards:
        await copy_database(evidence, shard, {"wallets": _READ_SHARD["wallets"]})


def _parse(text: bytes) -> Entry:
    version, epoch, position, body = text.split(b" ", 3)
    return Entry(int(version), int(position), None if epoch == b"-" else str(UUID(epoch.decode())), body)
