"""The query service's readers of its databases, with the service's default bounds, and what they read."""

import time

import asyncpg

from wallet_cqrs.balance_cache import Reading
from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.query.history import History
from wallet_cqrs.query.read_shard import ReadShard
from wallet_cqrs.read_model import Checkpoint


def read_shard(number: int, pool: asyncpg.Pool, *, position_timeout_s: float = 5.0) -> ReadShard:
    """Returns a reader of the read shard of this pool."""
    return ReadShard(
        number, pool, batch_max=100, queue_max=1000, timeout_s=3, position_timeout_s=position_timeout_s
    )


def history(pool: asyncpg.Pool) -> History:
    """Returns a reader of the event store of this pool."""
    return History(pool, timeout_s=3, waiting_max=1000, position_timeout_s=5)


def just_read(wallet: Wallet, checkpoint: Checkpoint) -> Reading:
    """Returns a reading of a wallet that begins now."""
    return Reading(wallet, checkpoint, time.monotonic())
