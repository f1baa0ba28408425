"""Sessions of the pools carry no state, because a released session is not reset."""

from uuid import uuid4

import asyncpg
import pytest
from cqrs_support.histories import append, project
from cqrs_support.projecting import ALICE, alices_log, one_by_one
from cqrs_support.reading import history, read_shard

from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.query.read_shard import open_read_pool
from wallet_lab.testing import DatabaseUrls

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STATE = """SELECT (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
(SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_settings WHERE source = 'session'),
(SELECT count(*) FROM pg_cursors WHERE is_holdable), pg_my_temp_schema()::int"""


async def state(pool: asyncpg.Pool) -> tuple[int, ...]:
    """Returns the counts of advisory locks, channels, changed settings and cursors of the pool's only session."""
    assert pool.get_size() == 1
    return tuple(await pool.fetchrow(STATE))


async def test_reads_leave_no_state_in_their_sessions(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls]
) -> None:
    """No read of the query service, the projection or the relay changes the session of its pool."""
    written = alices_log(5, 1)
    await append(event_store.owner, written.events)
    await project(read_shards[0], one_by_one(written))
    async with (
        open_read_pool(read_shards[0].service) as read_pool,
        open_pool(event_store.service, "test") as pool,
    ):
        shard, past, log = read_shard(0, read_pool), history(pool), EventLog(pool)
        await shard.balance(ALICE, 1)
        await shard.statement(ALICE, 10, None)
        await past.wallet_at(ALICE, written.events[0].at)
        await past.transfer(uuid4())
        epoch = (await log.state(None)).epoch
        assert await log.read(epoch, 0, 2, 10) == written.events
        assert [await state(read_pool), await state(pool)] == [(0, 0, 0, 0, 0)] * 2
