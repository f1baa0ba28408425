"""Follows a read shard's checkpoint by the notifications that the projection sends with every commit."""

import asyncio
import logging
from functools import partial

import asyncpg

from wallet_cqrs.query.read_shard import ReadShard
from wallet_cqrs.read_model import LIVE_SCHEMA
from wallet_kernel.backoff import Backoff
from wallet_kernel.database import DATABASE_ERRORS, connect

STATEMENT_TIMEOUT_S = 2.0
LOOK_S = 1.0
"""How often the checkpoint is read. This detects a broken connection, and a change without notification: a rebuild."""

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0

_SESSION = {"application_name": "wallet-query-news", "search_path": LIVE_SCHEMA}

_log = logging.getLogger(__name__)


async def follow_checkpoint(url: str, shard: ReadShard) -> None:
    """Follows the shard's checkpoint by the projection's commits, until cancelled. Reconnects after an outage."""
    backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S)
    while True:
        try:
            connection = await connect(
                url,
                target_session_attrs="primary",
                command_timeout=STATEMENT_TIMEOUT_S,
                server_settings=_SESSION,
            )
            backoff.reset()
            await _follow(connection, shard)
        except DATABASE_ERRORS as error:
            _log.warning("checkpoint not followed", extra={"cause": repr(error)})
        await backoff.pause()


async def _follow(connection: asyncpg.Connection, shard: ReadShard) -> None:
    ended, positions = asyncio.Event(), shard.positions
    connection.add_termination_listener(lambda _: ended.set())
    try:
        # The channel is the schema's name. A rebuild writes another schema, so it does not notify this channel.
        await connection.add_listener(LIVE_SCHEMA, lambda *news: positions.advance(int(news[3])))
        with positions.following():
            while not ended.is_set():
                await positions.refresh(partial(shard.read_position, connection))
                await _wait(ended, LOOK_S)
    finally:
        connection.terminate()


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
