"""The projection on real databases: each event once with its checkpoint, poison events, entries in Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import Mock
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from cqrs_support.histories import Story, append, batches, story, wallet_rows
from pydantic import SecretStr
from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, cache_key, channel, parse_entry
from wallet_cqrs.domain.commands import Deposit, OpenWallet
from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import EventBatch, EventMessage, partition_of
from wallet_cqrs.projection.cache import Cache
from wallet_cqrs.projection.projector import PartitionStopped, Poison, Projector, UnusableMessage
from wallet_cqrs.projection.replay import ReplaySettings, replay
from wallet_cqrs.projection.store import Store
from wallet_cqrs.read_model import Checkpoint
from wallet_lab.testing import DatabaseUrls, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PARTITIONS = 2


class Bench:
    """One partition's projector on its own databases."""

    def __init__(self, projector: Projector, store: Store, redis: "Redis", url: str) -> None:
        self.projector = projector
        self.store = store
        self.redis = redis
        self._url = url

    async def rows(self, table: str) -> list[tuple[object, ...]]:
        """Returns all rows of a table of the live model in key order."""
        connection = await asyncpg.connect(self._url, server_settings={"search_path": "read_model"})
        try:
            return [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]  # noqa: S608
        finally:
            await connection.close()

    async def entry(self, account: str) -> tuple[int, int]:
        """Returns version and position of a wallet's entry in Redis."""
        raw = await self.redis.get(cache_key(account))
        assert isinstance(raw, bytes)
        entry = parse_entry(raw)
        return entry.version, entry.position


@asynccontextmanager
async def bench(
    event_store: DatabaseUrls, shard: DatabaseUrls, redis_server: RedisServer, partition: int = 0
) -> AsyncIterator[Bench]:
    """Builds a projector of one partition, as the service does."""
    redis = Redis.from_url(redis_server.url)
    async with open_pool(event_store.service, "test") as pool, Store(shard.service) as store, redis:
        await redis.flushall()
        projector = Projector(partition, PARTITIONS, store, EventLog(pool), Cache(redis, 60, 1), chunk_max=10)
        yield Bench(projector, store, redis, shard.service)


@pytest.fixture
async def a_bench(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], redis_server: RedisServer
) -> AsyncIterator[Bench]:
    """The projector of partition 0."""
    async with bench(event_store, read_shards[0], redis_server) as made:
        yield made


def mine(events: list[EventMessage]) -> list[EventMessage]:
    """Returns the events of partition 0."""
    return [event for event in events if partition_of(event.stream_id, PARTITIONS) == 0]


async def assert_is(made: Bench, told: Story) -> None:
    """Asserts that the read model equals the fold of the events."""
    assert await made.rows("wallets") == wallet_rows(told, 0)
    postings = await made.rows("postings")
    assert len(postings) == len({row[:2] for row in postings})
    for account, _, _, balance, _, _ in wallet_rows(told, 0):
        assert sum(row[4] for row in postings if row[0] == account) == balance  # type: ignore[misc]
    assert (await made.store.progress())[0] == told.events[-1].position


async def test_a_log_becomes_the_read_model(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """The projection writes batches to the read model, and the balances with their position to Redis."""
    told = story()
    await append(event_store.owner, told.events)
    for batch in batches(told.events, 0):
        await a_bench.projector.project([batch])
    await assert_is(a_bench, told)
    for row in wallet_rows(told, 0):
        version, position = await a_bench.entry(str(row[0]))
        assert version == row[4]
        assert position <= told.events[-1].position


async def test_redelivered_batchs_change_nothing(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """If the broker redelivers batches, the read model does not change."""
    told = story()
    await append(event_store.owner, told.events)
    made = batches(told.events, 0)
    for batch in [*made, *made]:
        await a_bench.projector.project([batch])
    await a_bench.projector.project(made[3:9] + made[1:4])
    await assert_is(a_bench, told)


async def test_reordered_and_dropped_batchs_are_made_good(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """If batches are lost or late, their events are read from the event store."""
    told = story()
    await append(event_store.owner, told.events)
    made = batches(told.events, 0)
    for batch in [made[5], made[2], made[0], made[-1], made[7]]:
        await a_bench.projector.project([batch])
    await assert_is(a_bench, told)


async def test_a_heartbeat_closes_the_last_gap(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """If the last batch is lost, a heartbeat reveals the gap."""
    told = story()
    await append(event_store.owner, told.events)
    head = told.events[-1].position
    await a_bench.projector.project([EventBatch(head, head, [])])
    await assert_is(a_bench, told)


async def test_the_checkpoint_commits_with_the_rows(a_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the connection breaks, rows and checkpoint are both committed or both not."""
    told = story()
    made = batches(told.events, 0)
    await a_bench.projector.project(made[:5])
    for point in ("LOCK", "WRITE", "COMMIT"):
        await die_after(point, a_bench, made[5:8], monkeypatch)
        assert await a_bench.store.progress() == (made[4].head, None)
    await a_bench.projector.project(made[5:])
    await assert_is(a_bench, told)


async def die_after(
    point: str, made: Bench, batch: list[EventBatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks the connection just after a statement was sent, or just before a COMMIT."""

    class Lost(Exception):
        pass

    original = asyncpg.Connection.execute

    async def execute(self: asyncpg.Connection, query: str, *args: object, **kwargs: object) -> str:
        if query == "COMMIT" and point == "COMMIT":
            raise Lost
        done: str = await original(self, query, *args, **kwargs)
        if (point == "WRITE" and "UPDATE checkpoint SET position" in query) or (
            point == "LOCK" and query == "BEGIN"
        ):
            raise Lost
        return done

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "execute", execute)
        with pytest.raises(Lost):
            await made.projector.project(batch)


async def test_a_batch_of_the_future_is_unusable(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """A batch beyond the log's head is unusable, because the gap before it cannot be filled."""
    told = story()
    await append(event_store.owner, told.events)
    await a_bench.projector.project([EventBatch(1, 1, [])])
    epoch = (await a_bench.store.checkpoint()).epoch
    event = msgspec.structs.replace(mine(told.events)[-1], position=10**9 + 1)
    for batch in [EventBatch(10**9, 10**9, [], epoch), EventBatch(10**9, 10**9 + 1, [event], epoch)]:
        with pytest.raises(UnusableMessage, match="the log ends at"):
            await a_bench.projector.project([batch])
    assert (await a_bench.store.progress())[0] <= told.events[-1].position


async def test_batch_that_ends_beyond_the_log_is_unusable(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """A batch without an event at its head never moves the checkpoint beyond the log's end."""
    told = story()
    await append(event_store.owner, told.events)
    await a_bench.projector.project([EventBatch(1, 1, [])])
    position, epoch = await a_bench.store.checkpoint()
    for head, of in [(10**9, epoch), (position + 1, epoch), (10**9, None)]:
        with pytest.raises(UnusableMessage, match=f"the log ends at {told.events[-1].position}"):
            await a_bench.projector.project([EventBatch(position, head, [], of)])
    assert (await a_bench.store.progress())[0] == position


async def test_batch_of_a_lost_epoch_does_not_move_the_checkpoint(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """A batch that ends after the last position shared by its epoch and the log is dropped; no rebuild is needed."""
    told = story()
    await append(event_store.owner, told.events)
    head = told.events[-1].position
    before = await a_bench.projector.compare()
    await a_bench.projector.project([EventBatch(head, head, [], before[1].epoch)])
    connection = await asyncpg.connect(event_store.owner)
    await connection.execute("SELECT begin_epoch('restored')")
    await connection.close()
    await a_bench.projector.project([EventBatch(head, head + 3, [], before[1].epoch)])
    checkpoint, state = await a_bench.projector.compare()
    assert checkpoint == Checkpoint(head, state.epoch)


async def test_batch_without_an_event_at_its_head_waits_for_the_event_store(
    event_store: DatabaseUrls, a_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the event store is away, a batch is applied only up to the last known head or to an event at its head."""
    told = story()
    *before, others, own = told.events
    assert (mine([others]), mine([own])) == ([], [own])
    await append(event_store.owner, before)
    _, state = await a_bench.projector.compare()
    known, epoch = state.head, state.epoch
    await append(event_store.owner, [others, own])
    with monkeypatch.context() as patched:
        patched.setattr(EventLog, "state", Mock(side_effect=OSError("away")))
        await a_bench.store.adopt(epoch, known)
        await a_bench.projector.project([EventBatch(0, known, mine(before), epoch)])
        with pytest.raises(OSError, match="away"):
            await a_bench.projector.project([EventBatch(known, known + 1, [], epoch)])
        assert (await a_bench.store.progress())[0] == known
        await a_bench.projector.project(
            [EventBatch(known, known + 1, [], epoch), EventBatch(known + 1, known + 2, [own], epoch)]
        )
    await assert_is(a_bench, told)


async def test_a_batch_of_another_partition_is_unusable(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """A batch of another partition is unusable, because its positions would skip events of this one."""
    told = story()
    await append(event_store.owner, told.events)
    with pytest.raises(UnusableMessage, match="another partition"):
        await a_bench.projector.project(batches(told.events, 1))
    assert (await a_bench.store.progress())[0] == 0


async def test_heartbeat_below_the_checkpoint_stops_the_partition_if_the_log_ends_there(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """A late heartbeat changes nothing, but if the log ends before the checkpoint, the partition stops."""
    told = story()
    await append(event_store.owner, told.events)
    head = told.events[-1].position
    await a_bench.projector.project([EventBatch(head, head, [])])
    epoch = (await a_bench.store.checkpoint()).epoch
    await a_bench.projector.project([EventBatch(head - 1, head - 1, [], epoch)])
    await a_bench.projector.check()
    connection = await asyncpg.connect(event_store.owner)
    await connection.execute(
        "ALTER TABLE log_head DISABLE TRIGGER USER; UPDATE log_head SET position = position - 1"
    )
    await connection.close()
    with pytest.raises(Poison, match="was restored"):
        await a_bench.projector.project([EventBatch(head - 1, head - 1, [], epoch)])
    with pytest.raises(PartitionStopped):
        await a_bench.projector.check()


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_replay_refuses_a_diverged_partition(
    event_store: DatabaseUrls,
    read_shards: list[DatabaseUrls],
    a_bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_noticed: bool,
) -> None:
    """A replay refuses a diverged partition, whether the projection stopped it or not, and never resumes it."""
    connection = await asyncpg.connect(read_shards[0].owner)
    await connection.execute("UPDATE read_model.checkpoint SET position = 7, stopped = 'poison'")
    if is_noticed:
        await connection.execute("UPDATE read_model.checkpoint SET position = 0, diverged = true")
    settings = ReplaySettings(
        event_store_url=SecretStr(event_store.service),
        read_urls=[SecretStr(shard.service) for shard in read_shards],
    )
    monkeypatch.setattr("wallet_cqrs.projection.replay.WAIT_S", 0.2)
    problem = await replay(settings, 0)
    assert problem is not None
    assert "./lab rebuild" in problem
    state = await connection.fetchrow("SELECT stopped, diverged FROM read_model.checkpoint")
    await connection.close()
    assert tuple(state) == ("poison", is_noticed)


async def test_an_epoch_that_the_log_never_had_is_named(
    read_shards: list[DatabaseUrls], a_bench: Bench
) -> None:
    """If the log never had the model's epoch, the reason names that epoch instead of a number of shared events."""
    epoch = uuid4()
    connection = await asyncpg.connect(read_shards[0].owner)
    await connection.execute("UPDATE read_model.checkpoint SET position = 7, epoch = $1", epoch)
    await connection.close()
    with pytest.raises(Poison, match=f"position 7 of the epoch {epoch}, which this log never had"):
        await a_bench.projector.compare()


async def test_entry_of_a_lost_log_is_replaced(a_bench: Bench) -> None:
    """After a restore, an entry with a lower version replaces an entry of the former epoch."""
    told = Story()
    told.do(OpenWallet("w", 5, "USD"))
    new = told.wallet("w")
    told.do(Deposit("w", 1, "USD"))
    writer = CacheWriter(a_bench.redis, 60, announce=False)
    await writer.write([told.wallet("w")], Checkpoint(9, uuid4()))
    await writer.write([new], Checkpoint(1, uuid4()))
    assert await a_bench.entry("w") == (1, 1)


@pytest.mark.parametrize("damage", ["type", "version", "overdraft"])
async def test_an_unusable_message_is_neither_applied_nor_passed(a_bench: Bench, damage: str) -> None:
    """If one event of a batch is undecodable or impossible, no event of the batch is applied."""
    told = story()
    made = batches(told.events, 0)
    await a_bench.projector.project(made[:5])
    bad = next(batch for batch in made[5:] if batch.events)
    with pytest.raises(UnusableMessage):
        await a_bench.projector.project([*made[5 : made.index(bad)], damaged(bad, damage)])
    assert (await a_bench.store.progress())[0] == made[4].head


async def test_an_event_of_the_log_that_cannot_be_applied_is_poison(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """If the event store has an unusable event, the projector raises Poison and applies no later event."""
    told = story()
    at = next(n for n, event in enumerate(told.events) if n > 20 and mine([event]))
    told.events[at] = msgspec.structs.replace(told.events[at], type="MoneyEvaporated")
    await append(event_store.owner, told.events)
    head = told.events[-1].position
    with pytest.raises(Poison):
        await a_bench.projector.project([EventBatch(head, head, [])])
    assert (await a_bench.store.progress())[0] < told.events[at].position


def damaged(batch: EventBatch, damage: str) -> EventBatch:
    """Returns the batch with its last event damaged."""
    event = batch.events[-1]
    spoilt: dict[str, dict[str, object]] = {
        "type": {"type": "MoneyEvaporated"},
        "version": {"version": event.version + 1},
        "overdraft": {
            "type": "BalanceDebited",
            "schema_version": 2,
            "data": b'{"amount_micros":%d,"kind":"transfer","counterparty":"x"}' % 10**17,
        },
    }
    changed = msgspec.structs.replace(event, **spoilt[damage])
    return EventBatch(batch.after, batch.head, [*batch.events[:-1], changed])


async def test_a_stopped_partition_lets_messages_pass_and_catches_up_when_resumed(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """After a stopped partition is resumed, it reads the missed events from the event store."""
    told = story()
    await append(event_store.owner, told.events)
    made = batches(told.events, 0)
    await a_bench.projector.project(made[:3])
    await a_bench.projector.stop("poison")
    await a_bench.projector.project(made[3:6])
    assert await a_bench.store.progress() == (made[2].head, "poison")
    with pytest.raises(PartitionStopped):
        await a_bench.projector.check()
    await a_bench.store.resume()
    await a_bench.projector.project(made[-1:])
    await a_bench.projector.check()
    await assert_is(a_bench, told)


async def test_two_projections_of_one_partition_take_turns(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], redis_server: RedisServer
) -> None:
    """Two projections of one partition are serialized, so a former active consumer does no harm."""
    told = story(400)
    made = batches(told.events, 0)
    async with (
        bench(event_store, read_shards[0], redis_server) as one,
        bench(event_store, read_shards[0], redis_server) as other,
    ):
        await append(event_store.owner, told.events)

        async def consume(which: Bench) -> None:
            for batch in made:
                await which.projector.project([batch])

        failures = await asyncio.gather(consume(one), consume(other), return_exceptions=True)
        assert [failure for failure in failures if failure is not None] == []
        await assert_is(one, told)


async def test_an_older_version_never_replaces_a_newer_one(a_bench: Bench) -> None:
    """A late write of an older version does not replace a newer entry."""
    told = Story()
    told.do(OpenWallet("w", 5, "USD"))
    old = told.wallet("w")
    told.do(Deposit("w", 1, "USD"))
    writer = CacheWriter(a_bench.redis, 60, announce=False)
    await writer.write([told.wallet("w")], Checkpoint(2))
    await writer.write([old], Checkpoint(1))
    assert await a_bench.entry("w") == (2, 2)


async def test_what_was_committed_but_not_shown_is_shown_again(a_bench: Bench) -> None:
    """After a crash between commit and cache write, the redelivered batch updates the entry."""
    told = story()
    made = batches(told.events, 0)
    await a_bench.projector.project(made)
    await a_bench.redis.flushall()
    await a_bench.projector.project(made[-3:])
    for event in made[-3].events:
        assert (await a_bench.entry(event.stream_id))[0] >= event.version


async def test_a_change_is_announced(a_bench: Bench) -> None:
    """A change is announced by Pub/Sub with the complete entry."""
    told = story()
    batch = next(batch for batch in batches(told.events, 0) if batch.events)
    async with a_bench.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(channel(batch.events[0].stream_id))
        await pubsub.get_message(timeout=1)
        await a_bench.projector.project([batch])
        message = await pubsub.get_message(timeout=5)
        while message is None:
            message = await pubsub.get_message(timeout=5)
    assert parse_entry(message["data"]).version >= 1


async def test_a_dead_redis_does_not_hold_the_read_model_up(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls]
) -> None:
    """If Redis is dead, the projection continues and waits at most its timeout."""
    told = story()
    await append(event_store.owner, told.events)
    redis = Redis.from_url("redis://127.0.0.1:1/0")
    async with open_pool(event_store.service, "test") as pool, Store(read_shards[0].service) as store, redis:
        cache = Cache(redis, 60, 0.2)
        projector = Projector(0, PARTITIONS, store, EventLog(pool), cache, chunk_max=10)
        for batch in batches(told.events, 0):
            await projector.project([batch])
        assert (await store.progress())[0] == told.events[-1].position
