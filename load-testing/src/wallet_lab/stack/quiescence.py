"""Waits for quiescence: every saga has ended, and readers see every event."""

import asyncio
import time

import asyncpg

from wallet_lab.stack.running import RunningStack

TIMEOUT_S = 60.0
_LOOK_EVERY_S = 0.02
_OPEN_SAGA = "SELECT EXISTS (SELECT FROM transfers WHERE state = 'debited')"
_HEAD = "SELECT position FROM log_head"
_CHECKPOINT = "SELECT position, stopped FROM read_model.checkpoint"


class _NeverWill(Exception):
    """A projection has stopped at an event that it cannot apply."""


async def wait_for_quiescence(stack: RunningStack, timeout_s: float = TIMEOUT_S) -> float | None:
    """Wait for quiescence; returns the seconds, or None after the timeout or if it is impossible."""
    urls = stack.database_urls if stack.architecture == "saga" else []
    if stack.architecture == "cqrs":
        urls = [stack.event_store_url, *stack.database_urls]
    connections = [await asyncpg.connect(url) for url in urls]
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            while not await _AT_REST[stack.architecture](connections):  # noqa: ASYNC110 -- the databases send no signal
                await asyncio.sleep(_LOOK_EVERY_S)
    except (TimeoutError, _NeverWill):
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
    reached = [await shard.fetchrow(_CHECKPOINT) for shard in shards]
    if any(stopped for _, stopped in reached):
        raise _NeverWill(_NeverWill.__doc__)
    return all(position >= head for position, _ in reached)


async def _always(_: list[asyncpg.Connection]) -> bool:
    return True


_AT_REST = {"saga": _sagas_ended, "cqrs": _events_visible, "noop": _always}
