"""The relations of cqrs: events and decisions, the read model, snapshots, and the balances in Redis."""

from importlib.resources import files
from typing import Literal
from uuid import UUID

import duckdb

from wallet_lab.architectures.cqrs.broker_settings import broker_settings
from wallet_lab.architectures.cqrs.topology import EVENT_STORE, read_shard
from wallet_lab.checker.cache_entries import Entry, cache_settings, read_cache
from wallet_lab.checker.extraction import Database, add, copy_database, copy_durability, database, sections
from wallet_lab.stack.running import RunningStack

READS: Literal["positions"] = "positions"
CACHE_TTL_US = 10_000_000
"""How long a cached balance lives (docs/cqrs-protocol.md). It may be old if Redis missed its update."""
_FOLDER = files("wallet_lab.architectures.cqrs")
_EVENTS = sections((_FOLDER / "events.sql").read_text())
_READ_SHARD = sections((_FOLDER / "read_shard.sql").read_text())
_DECIDED = "SELECT NULL, count(*) FROM decisions"
_HOLDERS = [
    # holder, is_complete, is_current, may_be_older, expires_within_us, lists_postings, stores
    ("read model", True, True, False, None, True, "shard currency status updated_us"),
    ("snapshots", False, False, False, None, False, "currency status updated_us"),
    ("cache", False, True, True, CACHE_TTL_US, False, "currency status updated_us position epoch expires_us"),
]

_TIMELINE = [
    # moment, kind, step
    ("received", "opening", "WalletOpened"),
    *(("paid", kind, "BalanceDebited") for kind in ("transfer", "withdrawal")),
    *(("received", kind, "BalanceCredited") for kind in ("transfer", "deposit")),
    *(("refused", kind, f"{kind} refused") for kind in ("transfer", "opening", "deposit", "withdrawal")),
]


async def extract(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add all relations of quiescent cqrs to the evidence."""
    cache_url = stack.client_url("redis")
    events, shards = database(stack, EVENT_STORE, None), _shards(stack)
    add(evidence, "holders", _HOLDERS)
    add(evidence, "timeline_steps", _TIMELINE)
    await copy_database(evidence, events, _EVENTS)
    for shard in shards:
        await copy_database(evidence, shard, _READ_SHARD)
    for one in (events, *shards):
        await copy_durability(evidence, one)
    add(evidence, "wallets", await read_cache(cache_url, "balance:", _parse))
    add(evidence, "durability", await cache_settings(cache_url, ("balance:*",)))
    add(evidence, "durability", await broker_settings(stack.client_url("rabbitmq"), stack.shards))


async def extract_beginning(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add only the stored wallets and the number of decisions."""
    await copy_database(evidence, database(stack, EVENT_STORE, None), {"decided": _DECIDED})
    for shard in _shards(stack):
        await copy_database(evidence, shard, {"wallets": _READ_SHARD["wallets"]})


def _shards(stack: RunningStack) -> list[Database]:
    return [database(stack, read_shard(number), number) for number in range(stack.shards)]


def _parse(text: bytes) -> Entry:
    version, epoch, position, body = text.split(b" ", 3)
    return Entry(int(version), int(position), None if epoch == b"-" else str(UUID(epoch.decode())), body)
