"""The saga's backlog: the sagas that are open."""

from wallet_lab.architectures.adapter import Backlog
from wallet_lab.architectures.saga.topology import shard
from wallet_lab.stack.health.backlog import Databases

_OPEN = "SELECT count(*) FROM transfers WHERE state = 'debited'"


async def backlog(databases: Databases) -> Backlog:
    """Count the open sagas of all shards."""
    counts = [await databases.row(shard(number), _OPEN) for number in range(databases.shards)]
    return Backlog(sum(count for (count,) in counts))
