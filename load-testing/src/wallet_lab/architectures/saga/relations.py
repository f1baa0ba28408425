"""The relations of the saga: wallets, ledger, saga log and barrier of each shard, and the balances in Redis."""

from importlib.resources import files
from typing import Literal

import duckdb

from wallet_lab.architectures.saga.topology import shard
from wallet_lab.checker.cache_entries import Entry, cache_settings, read_cache
from wallet_lab.checker.extraction import Database, add, copy_database, copy_durability, database, sections
from wallet_lab.stack.running import RunningStack

READS: Literal["fresh"] = "fresh"
LEASE_US = 1_000_000 + 100_000
"""How long a cached balance may live: the lease of the worker, and the allowed difference of the clocks."""
_QUERIES = sections((files("wallet_lab.architectures.saga") / "relations.sql").read_text())
_DECIDED = "SELECT pg_temp.shard(), count(*) FROM transfers"
_HOLDERS = [
    # holder, is_complete, is_current, may_be_older, expires_within_us, lists_postings, stores
    ("wallets", True, True, False, None, False, "shard currency status in_flight_micros updated_us"),
    ("cache", False, True, False, LEASE_US, False, "currency status updated_us expires_us"),
]
_CASH = ("opening", "deposit", "withdrawal")
_TIMELINE = [
    # moment, kind, step
    ("started", "transfer", "debit"),
    ("refused", "transfer", "debit refused"),
    ("credited", "transfer", "credit"),
    ("credit-refused", "transfer", "credit refused"),
    ("completed", "transfer", "complete"),
    ("refunded", "transfer", "refund"),
    *(("started", kind, kind) for kind in _CASH),
    *(("refused", kind, f"{kind} refused") for kind in _CASH),
]
_KEYS = ("wallet:*", "probe:*")


async def extract(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add all relations of a quiescent saga to the evidence."""
    cache_url = stack.client_url("redis")
    add(evidence, "holders", _HOLDERS)
    add(evidence, "timeline_steps", _TIMELINE)
    for one in _shards(stack):
        await copy_database(evidence, one, _QUERIES)
        await copy_durability(evidence, one)
    add(evidence, "wallets", await read_cache(cache_url, "wallet:", _parse))
    add(evidence, "durability", await cache_settings(cache_url, _KEYS))


async def extract_beginning(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add only the stored wallets and the number of decisions."""
    for one in _shards(stack):
        await copy_database(evidence, one, {"wallets": _QUERIES["wallets"], "decided": _DECIDED})


def _shards(stack: RunningStack) -> list[Database]:
    return [database(stack, shard(number), number) for number in range(stack.shards)]


def _parse(text: bytes) -> Entry:
    version, _, body = text.partition(b" ")
    return Entry(int(version), None, None, body)
