"""The books of cqrs: the events that readers do not see yet, and the audit of log, read model and cache."""

from wallet_lab.architectures.adapter import Backlog
from wallet_lab.architectures.cqrs.topology import EVENT_STORE, read_shard
from wallet_lab.audit.cqrs import audit_cqrs
from wallet_lab.audit.sessions import looking_at
from wallet_lab.audit.told import Booked
from wallet_lab.report.model import Check
from wallet_lab.stack.backlog import Databases
from wallet_lab.stack.running import RunningStack

_HEAD = "SELECT position FROM log_head"
_CHECKPOINT = "SELECT position, stopped FROM read_model.checkpoint"
_BOOKED = """
    SELECT idempotency_key, transaction_id::text, reason IS NULL, amount_micros
    FROM decisions WHERE kind = 'transfer' AND starts_with(idempotency_key, $1)
"""


async def backlog(databases: Databases) -> Backlog:
    """Count the events that the slowest read shard is behind."""
    # Checkpoints first: events that arrive in between can only make the backlog look larger than it is.
    reached = [await databases.row(read_shard(number), _CHECKPOINT) for number in range(databases.shards)]
    (head,) = await databases.row(EVENT_STORE, _HEAD)
    behind = head - min(position for position, _ in reached)
    return Backlog(behind, is_stuck=any(stopped for _, stopped in reached))


async def audit(stack: RunningStack) -> list[Check]:
    """Run every check on the event store, the read model and the cache."""
    return await audit_cqrs(stack.client_url(EVENT_STORE), stack.database_urls, stack.client_url("redis"))


async def booked(stack: RunningStack, prefix: str) -> list[Booked]:
    """Return the transfers whose idempotency keys begin with `prefix`."""
    async with looking_at([stack.client_url(EVENT_STORE)]) as (events,):
        return [Booked(*row) for row in await events.fetch(_BOOKED, prefix)]
