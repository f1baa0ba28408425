"""Builds a fresh model on every shard from the whole log."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from wallet_cqrs.event_log import EventLog
from wallet_cqrs.rebuild.models import TwinModels

T = TypeVar("T")


async def build(log: EventLog, shards: Sequence[TwinModels], chunk_max: int) -> int:
    """Builds the fresh models up to a recent head of the log, and returns that position.

    Raises AnotherEpoch if the log is restored, or its server restarts, meanwhile.
    """
    epoch = (await log.state(None)).epoch
    await together(*(shard.begin(epoch) for shard in shards))
    position = 0
    while position < (head := await log.head()):
        async for reached, events in log.chunks(epoch, position, head, chunk_max):
            await together(*(shard.apply(events, reached, len(shards)) for shard in shards))
        caught_up, position = head - position <= chunk_max, head
        if caught_up:  # swap or comparison read the few events that were appended meanwhile
            break
    return position


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Runs the work of all shards concurrently. Waits until all have ended, and then raises the first failure.

    Their connections may be closed only afterwards.
    """
    ended = await asyncio.gather(*work, return_exceptions=True)
    failures = [outcome for outcome in ended if isinstance(outcome, BaseException)]
    if failures:
        raise failures[0]
    return [outcome for outcome in ended if not isinstance(outcome, BaseException)]
