"""The saga's books: the sagas that are open, and the audit of all shards."""

from wallet_lab.architectures.adapter import Backlog
from wallet_lab.architectures.saga.topology import shard
from wallet_lab.audit.saga import audit_saga
from wallet_lab.audit.sessions import looking_at
from wallet_lab.audit.told import Booked
from wallet_lab.report.model import Check
from wallet_lab.stack.backlog import Databases
from wallet_lab.stack.running import RunningStack

_OPEN = "SELECT count(*) FROM transfers WHERE state = 'debited'"
_BOOKED = """
    SELECT idempotency_key, transfer_id::text, CASE state WHEN 'debited' THEN NULL ELSE state = 'completed' END,
           amount_micros
    FROM transfers WHERE kind = 'transfer' AND starts_with(idempotency_key, $1)
"""


async def backlog(databases: Databases) -> Backlog:
    """Count the open sagas of all shards."""
    counts = [await databases.row(shard(number), _OPEN) for number in range(databases.shards)]
    return Backlog(sum(count for (count,) in counts))


async def audit(stack: RunningStack) -> list[Check]:
    """Run every check on the shards and the cache."""
    return await audit_saga(stack.database_urls, stack.client_url("redis"))


async def booked(stack: RunningStack, prefix: str) -> list[Booked]:
    """Return the transfers whose idempotency keys begin with `prefix`."""
    async with looking_at(stack.database_urls) as shards:
        found = [await one.fetch(_BOOKED, prefix) for one in shards]
    return [Booked(*row) for rows in found for row in rows]
