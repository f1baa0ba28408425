"""The backlog of cqrs: the events that readers do not see yet."""

from wallet_lab.architectures.adapter import Backlog
from wallet_lab.architectures.cqrs.topology import EVENT_STORE, read_shard
from wallet_lab.stack.health.backlog import Databases

_HEAD = "SELECT position FROM log_head"
_CHECKPOINT = "SELECT position, stopped FROM read_model.checkpoint"


async def backlog(databases: Databases) -> Backlog:
    """Count the events that the slowest read shard is behind."""
    # Checkpoints first: events that arrive in between can only make the backlog look larger than it is.
    reached = [await databases.row(read_shard(number), _CHECKPOINT) for number in range(databases.shards)]
    (head,) = await databases.row(EVENT_STORE, _HEAD)
    behind = head - min(position for position, _ in reached)
    return Backlog(behind, is_stuck=any(stopped for _, stopped in reached))
