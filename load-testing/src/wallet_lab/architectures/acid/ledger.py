"""The ledger of a baseline: how to seed it, its backlog, and its relations."""

from wallet_lab.architectures.acid import relations
from wallet_lab.architectures.acid.seeding import seed
from wallet_lab.architectures.acid.topology import shard
from wallet_lab.architectures.adapter import Backlog, Ledger
from wallet_lab.stack.health.backlog import Databases

_PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"


async def _backlog(databases: Databases) -> Backlog:
    """Count the prepared transactions, which only two-phase has. All other transactions end with their request."""
    counts = [await databases.row(shard(number), _PREPARED) for number in range(databases.shards)]
    return Backlog(sum(count for (count,) in counts))


LEDGER = Ledger(
    shard=shard,
    seed=seed,
    backlog=_backlog,
    reads="fresh",
    relations=relations.extract,
    beginning=relations.extract_beginning,
)
"""The ledger of every baseline, because all have the same schema."""
