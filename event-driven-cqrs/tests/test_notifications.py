"""The projection's commits wake the readers that wait for a position. Those readers cause no query of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from cqrs_support.histories import project
from cqrs_support.projecting import ALICE, alices_log, one_by_one
from cqrs_support.reading import read_shard
from cqrs_support.replicas import query
from cqrs_support.waiting import until

from wallet_cqrs.query import statements
from wallet_cqrs.query.checkpoint_news import follow_checkpoint
from wallet_cqrs.query.position_waiter import POLL_S
from wallet_cqrs.query.read_shard import ReadShard, open_read_pool
from wallet_kernel.database import connect
from wallet_lab.testing import DatabaseUrls

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WAIT_S = 20.0
FIRST, SECOND = one_by_one(alices_log(5, 1))

END_NEWS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'wallet-query-news' AND datname = current_database()"""


class Reader:
    """A reader of partition 0's read shard, which has one event. `statements` has the SQL of its pool."""

    def __init__(self, shard: ReadShard, urls: DatabaseUrls, statements: list[str]) -> None:
        self.shard = shard
        self.urls = urls
        self.statements = statements

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follows the shard's checkpoint while the context is open."""
        following = asyncio.create_task(follow_checkpoint(self.urls.service, self.shard))
        try:
            await until(lambda: self.shard.positions.followed == 1, WAIT_S, "the checkpoint is followed")
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@pytest.fixture
async def reader(read_shards: list[DatabaseUrls]) -> AsyncIterator[Reader]:
    """A reader whose read shard has the first event."""
    await project(read_shards[0], [FIRST])
    logged: list[str] = []

    async def record(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(lambda entry: logged.append(entry.query))

    async with open_read_pool(read_shards[0].service, record) as pool:
        yield Reader(read_shard(0, pool, position_timeout_s=WAIT_S), read_shards[0], logged)


async def test_read_at_a_position_takes_one_statement(reader: Reader) -> None:
    """A read that waits for its position takes one statement: no poll, and no reset of the session."""
    async with reader.followed():
        waiting = asyncio.create_task(reader.shard.balance(ALICE, 2))
        await asyncio.sleep(3 * POLL_S)
        assert reader.statements == []
        await project(reader.urls, [SECOND])
        _, checkpoint = await waiting
        await asyncio.sleep(0)
    assert checkpoint.position == 2
    assert reader.statements == [statements.BALANCES]


async def test_a_commit_of_the_projection_wakes_readers(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit of the projection notifies the readers that wait for its position."""
    monkeypatch.setattr("wallet_cqrs.query.checkpoint_news.LOOK_S", 600)
    async with reader.followed():
        reached = asyncio.create_task(reader.shard.positions.reach(2))
        await asyncio.sleep(0)
        await project(reader.urls, [SECOND])
        await asyncio.wait([reached], timeout=WAIT_S / 2)
        assert reached.done()


async def test_change_without_a_notification_wakes_readers(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the checkpoint changes without a notification, as by a rebuild, the next look wakes the readers."""
    monkeypatch.setattr("wallet_cqrs.query.checkpoint_news.LOOK_S", 0.2)
    async with reader.followed():
        reached = asyncio.create_task(reader.shard.positions.reach(2))
        await asyncio.sleep(0)
        await query(reader.urls.owner, "UPDATE read_model.checkpoint SET position = 2")
        await asyncio.wait([reached], timeout=WAIT_S / 2)
        assert reached.done()


@pytest.fixture
def may_connect(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """While this event is cleared, the connection for notifications cannot be opened again."""
    permitted = asyncio.Event()
    permitted.set()

    async def connect_when_permitted(url: str, **options: Any) -> asyncpg.Connection:
        await permitted.wait()
        return await connect(url, **options)

    monkeypatch.setattr("wallet_cqrs.query.checkpoint_news.connect", connect_when_permitted)
    return permitted


async def test_waiting_readers_poll_after_the_notifications_end(
    reader: Reader, may_connect: asyncio.Event
) -> None:
    """If the connection for notifications ends, a reader that waits already gets its position by a poll."""
    async with reader.followed():
        reached = asyncio.create_task(reader.shard.positions.reach(2))
        await asyncio.sleep(0)
        may_connect.clear()
        await query(reader.urls.service, END_NEWS)
        await until(lambda: reader.shard.positions.followed is None, WAIT_S, "the end is noticed")
        await project(reader.urls, [SECOND])
        await asyncio.wait([reached], timeout=WAIT_S / 2)
        assert reached.done()


async def test_lost_notifications_are_noticed_after_a_reconnection(
    reader: Reader, may_connect: asyncio.Event
) -> None:
    """After a reconnection, commits with lost notifications are seen."""
    positions = reader.shard.positions
    async with reader.followed():
        may_connect.clear()
        await query(reader.urls.service, END_NEWS)
        await until(lambda: positions.followed is None, WAIT_S, "the end is noticed")
        await project(reader.urls, [SECOND])
        may_connect.set()
        await until(lambda: positions.followed == 2, WAIT_S, "the checkpoint is followed again")
