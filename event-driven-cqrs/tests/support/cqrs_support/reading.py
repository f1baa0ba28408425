"""The query service's views of its databases, with bounds as the service has them by default."""

import asyncpg

from wallet_cqrs.query.history import History
from wallet_cqrs.query.read_shard import ReadShard


def read_shard(number: int, pool: asyncpg.Pool, *, position_timeout_s: float = 5.0) -> ReadShard:
    """A read shard behind this pool."""
    return ReadShard(
        number, pool, batch_max=100, queue_max=1000, timeout_s=3, position_timeout_s=position_timeout_s
    )


def history(pool: asyncpg.Pool) -> History:
    """The event store behind this pool."""
    return History(pool, timeout_s=3, waiting_max=1000, position_timeout_s=5)
