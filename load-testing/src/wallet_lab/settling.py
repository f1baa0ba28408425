"""Waiting until nothing of a load is under way any more: every saga ended, every event visible to readers."""

import asyncio
import time

import asyncpg

from wallet_lab.stacks import RunningStack

TIMEOUT_S = 60.0
_LOOK_EVERY_S = 0.02
_OPEN_SAGA = "SELECT EXISTS (SELECT FROM transfers WHERE state = 'debited')"
_HEAD = "SELECT position FROM log_head"
_CHECKPOINT = "SELECT position FROM read_model.checkpoint"


async def settle(stack: RunningStack, timeout_s: float = TIMEOUT_S) -> float | None:
    """How long it took, in seconds; None if it had not come to rest when the time was up."""
    urls = stack.database_urls if stack.architecture == "saga" else []
    if stack.architecture == "cqrs":
        urls = [stack.event_store_url, *stack.database_urls]
    connections = [await asyncpg.connect(url) for url in urls]
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            while not await _AT_REST[stack.architecture](connections):  # noqa: ASYNC110 -- databases do not tell
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        return None
    finally:
        for connection in connections:
            await connection.close()
    return time.monotonic() - started_s


async def _sagas_ended(shards: list[asyncpg.Connection]) -> bool:
    return not any([await shard.fetchval(_OPEN_SAGA) for shard in shards])


async def _events_visible(databases: list[asyncpg.Connection]) -> bool:
    events, *shards = databases
    head = await events.fetchval(_HEAD)
    return all([await shard.fetchval(_CHECKPOINT) >= head for shard in shards])


async def _always(_: list[asyncpg.Connection]) -> bool:
    return True


_AT_REST = {"saga": _sagas_ended, "cqrs": _events_visible, "noop": _always}
