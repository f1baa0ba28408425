"""The relations of the baselines: wallets, ledger and decided transfers of each database."""

from importlib.resources import files

import duckdb

from wallet_lab.architectures.acid.topology import shard
from wallet_lab.checker.extraction import Database, add, copy_database, copy_durability, database, sections
from wallet_lab.stack.running import RunningStack

_QUERIES = sections((files("wallet_lab.architectures.acid") / "relations.sql").read_text())
_DECIDED = "SELECT pg_temp.shard(), count(*) FROM transfers"
_HOLDERS = [
    # holder, is_complete, is_current, may_be_older, expires_within_us, lists_postings, stores
    ("wallets", True, True, False, None, False, "shard currency status updated_us"),
]

_TIMELINE = [
    # moment, kind, step
    (moment, kind, step)
    for kind in ("transfer", "opening", "deposit", "withdrawal")
    for moment, step in (("started", kind), ("refused", f"{kind} refused"))
]


async def extract(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add all relations of a quiescent baseline to the evidence."""
    add(evidence, "holders", _HOLDERS)
    add(evidence, "timeline_steps", _TIMELINE)
    for one in _shards(stack):
        await copy_database(evidence, one, _QUERIES)
        await copy_durability(evidence, one)


async def extract_beginning(evidence: duckdb.DuckDBPyConnection, stack: RunningStack) -> None:
    """Add only the stored wallets and the number of decisions."""
    for one in _shards(stack):
        await copy_database(evidence, one, {"wallets": _QUERIES["wallets"], "decided": _DECIDED})


def _shards(stack: RunningStack) -> list[Database]:
    return [database(stack, shard(number), number) for number in range(stack.shards)]
