"""The build: the log from position 0, once through, into a fresh model on every shard."""

import asyncio
from collections.abc import Sequence

from wallet_cqrs.event_log import EventLog
from wallet_cqrs.rebuild.models import TwinModels


async def build(log: EventLog, shards: Sequence[TwinModels], chunk_max: int) -> int:
    """Makes the fresh models and brings them up to where the log was a moment ago; returns that position.

    Raises AnotherEpoch if the log is restored, or its server restarted, meanwhile.
    """
    epoch = (await log.state(None)).epoch
    await asyncio.gather(*(shard.begin(epoch) for shard in shards))
    position = 0
    while position < (head := await log.head()):
        async for reached, events in log.chunks(epoch, position, head, chunk_max):
            await asyncio.gather(*(shard.apply(events, reached, len(shards)) for shard in shards))
        caught_up, position = head - position <= chunk_max, head
        if caught_up:  # the little that came meanwhile is read when the shards are swapped or compared
            break
    return position
