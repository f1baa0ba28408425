"""The projection on real databases: each event once with its checkpoint, poison events, entries in Redis."""

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import Mock
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from cqrs_support.histories import RandomLog, append, batches, random_log, wallet_rows
from cqrs_support.projecting import PARTITIONS, Bench, bench, mine, wallet_rows_at
from cqrs_support.reading import just_read
from cqrs_support.replicas import query
from pydantic import SecretStr
from redis.asyncio import Redis

from wallet_cqrs.balance_cache import CacheWriter, channel, parse_entry
from wallet_cqrs.domain.commands import Deposit, OpenWallet
from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import EventBatch, EventMessage
from wallet_cqrs.projection import statements
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.projection.projector import PartitionStopped, Poison, Projector, UnusableMessage
from wallet_cqrs.projection.replay import ReplaySettings, replay
from wallet_cqrs.projection.store import Store
from wallet_cqrs.read_model import Checkpoint
from wallet_lab.testing import DatabaseUrls, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def assert_is(made: Bench, written: RandomLog) -> None:
    """Asserts that the read model equals the fold of the events."""
    assert await made.rows("wallets") == wallet_rows(written, 0)
    postings = await made.rows("postings")
    assert len(postings) == len({row[:2] for row in postings})
    for account, _, _, balance, _, _ in wallet_rows(written, 0):
        assert sum(row[4] for row in postings if row[0] == account) == balance  # type: ignore[misc]
    assert (await made.store.progress())[0] == written.events[-1].position


async def test_projection_writes_the_read_model_and_redis(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """The projection writes batches to the read model, and the balances with their position to Redis."""
    written = random_log()
    await append(event_store.owner, written.events)
    for batch in batches(written.events, 0):
        await a_bench.project([batch])
    await assert_is(a_bench, written)
    for row in wallet_rows(written, 0):
        entry = await a_bench.entry(str(row[0]))
        assert entry is not None
        assert entry.version == row[4]
        assert entry.position <= written.events[-1].position


async def test_redelivered_batches_change_nothing(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """If the broker redelivers batches, the read model does not change."""
    written = random_log()
    await append(event_store.owner, written.events)
    made = batches(written.events, 0)
    for batch in [*made, *made]:
        await a_bench.project([batch])
    await a_bench.project(made[3:9] + made[1:4])
    await assert_is(a_bench, written)


async def test_events_of_lost_and_late_batches_are_read_from_the_event_store(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """If batches are lost or late, their events are read from the event store."""
    written = random_log()
    await append(event_store.owner, written.events)
    made = batches(written.events, 0)
    for batch in [made[5], made[2], made[0], made[-1], made[7]]:
        await a_bench.project([batch])
    await assert_is(a_bench, written)


async def test_gap_is_read_again_if_the_read_shard_is_restored_meanwhile(
    event_store: DatabaseUrls,
    read_shards: list[DatabaseUrls],
    a_bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the read shard is restored from a backup between two chunks of a gap, no event is skipped."""
    written = RandomLog()
    written.grow([f"w{number}" for number in range(60)], 0)
    await append(event_store.owner, written.events)
    read, chunks = EventLog.chunks, list[int]()

    async def chunks_around_a_restore(
        log: EventLog, epoch: UUID, after: int, until: int, limit: int
    ) -> AsyncIterator[tuple[int, list[EventMessage]]]:
        async for chunk in read(log, epoch, after, until, limit):
            chunks.append(chunk[0])
            if len(chunks) == 3:
                await query(read_shards[0].owner, RESTORE_TO_THE_BEGINNING)
            yield chunk

    monkeypatch.setattr(EventLog, "chunks", chunks_around_a_restore)
    _, (epoch, head, *_) = await a_bench.projector.compare()
    await a_bench.store.adopt(epoch, 0)
    await a_bench.project([EventBatch(head, head, [], epoch)])
    await assert_is(a_bench, written)
    assert len(chunks) > head / 10


RESTORE_TO_THE_BEGINNING = """WITH wallets AS (DELETE FROM read_model.wallets), postings AS (
DELETE FROM read_model.postings), system_accounts AS (DELETE FROM read_model.system_accounts)
UPDATE read_model.checkpoint SET position = 0"""


async def test_heartbeat_reveals_a_lost_last_batch(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """If the last batch is lost, a heartbeat reveals the gap."""
    written = random_log()
    await append(event_store.owner, written.events)
    head = written.events[-1].position
    await a_bench.project([EventBatch(head, head, [])])
    await assert_is(a_bench, written)


async def test_the_checkpoint_commits_with_the_rows(
    a_bench: Bench, read_shards: list[DatabaseUrls], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the connection breaks, rows and checkpoint are both written or both not, and each event is applied once."""
    written = random_log()
    made = batches(written.events, 0)
    await a_bench.project(made[:5])
    before = await a_bench.everything()
    await end_session_while_it_writes(a_bench, read_shards[0], made[5:8])
    assert await a_bench.everything() == before
    await lose_the_answer(a_bench, made[5:8], monkeypatch)
    assert await a_bench.rows("wallets") == wallet_rows_at(written.events, made[7].head)
    assert (await a_bench.store.progress())[0] == made[7].head
    await a_bench.project(made[5:])
    await assert_is(a_bench, written)


async def end_session_while_it_writes(made: Bench, shard: DatabaseUrls, batch: list[EventBatch]) -> None:
    """Makes Postgres end the projection's session while its statement waits for the checkpoint's row."""
    other = await asyncpg.connect(shard.service)
    async with other.transaction():
        await other.execute("SELECT FROM read_model.checkpoint FOR UPDATE")
        projecting = asyncio.create_task(made.project(batch))
        while not await other.fetchval(END_WAITING):  # noqa: ASYNC110 -- polls a server
            await asyncio.sleep(0.01)
        with pytest.raises(asyncpg.PostgresError):
            await projecting
    await other.close()


END_WAITING = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'wallet-projection' AND datname = current_database() AND wait_event_type = 'Lock'"""


async def lose_the_answer(made: Bench, batch: list[EventBatch], monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks the connection after Postgres has done the statement that writes."""

    class Lost(Exception):
        pass

    original = asyncpg.Connection.fetchrow

    async def fetchrow(self: asyncpg.Connection, query: str, *args: object, **kwargs: object) -> object:
        row: object = await original(self, query, *args, **kwargs)
        if query == statements.WRITE:
            self.terminate()
            raise Lost
        return row

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "fetchrow", fetchrow)
        with pytest.raises(Lost):
            await made.project(batch)


async def test_batch_beyond_the_head_of_the_log_is_unusable(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """A batch beyond the log's head is unusable, because the gap before it cannot be filled."""
    written = random_log()
    await append(event_store.owner, written.events)
    await a_bench.project([EventBatch(1, 1, [])])
    epoch = (await a_bench.store.checkpoint()).epoch
    event = msgspec.structs.replace(mine(written.events)[-1], position=10**9 + 1)
    for batch in [EventBatch(10**9, 10**9, [], epoch), EventBatch(10**9, 10**9 + 1, [event], epoch)]:
        with pytest.raises(UnusableMessage, match="the log ends at"):
            await a_bench.project([batch])
    assert (await a_bench.store.progress())[0] <= written.events[-1].position


async def test_batch_that_ends_beyond_the_log_is_unusable(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """A batch without an event at its head never moves the checkpoint beyond the log's end."""
    written = random_log()
    await append(event_store.owner, written.events)
    await a_bench.project([EventBatch(1, 1, [])])
    position, epoch = await a_bench.store.checkpoint()
    for head, of in [(10**9, epoch), (position + 1, epoch), (10**9, None)]:
        with pytest.raises(UnusableMessage, match=f"the log ends at {written.events[-1].position}"):
            await a_bench.project([EventBatch(position, head, [], of)])
    assert (await a_bench.store.progress())[0] == position


async def test_batch_of_a_lost_epoch_does_not_move_the_checkpoint(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """A batch that ends after the last position shared by its epoch and the log is dropped; no rebuild is needed."""
    written = random_log()
    await append(event_store.owner, written.events)
    head = written.events[-1].position
    before = await a_bench.projector.compare()
    await a_bench.project([EventBatch(head, head, [], before[1].epoch)])
    connection = await asyncpg.connect(event_store.owner)
    await connection.execute("SELECT begin_epoch('restored')")
    await connection.close()
    await a_bench.project([EventBatch(head, head + 3, [], before[1].epoch)])
    checkpoint, state = await a_bench.projector.compare()
    assert checkpoint == Checkpoint(head, state.epoch)


async def test_batch_without_an_event_at_its_head_waits_for_the_event_store(
    event_store: DatabaseUrls, a_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the event store is away, a batch is applied only up to the last known head or to an event at its head."""
    written = random_log()
    *before, others, own = written.events
    assert (mine([others]), mine([own])) == ([], [own])
    await append(event_store.owner, before)
    _, state = await a_bench.projector.compare()
    known, epoch = state.head, state.epoch
    await append(event_store.owner, [others, own])
    with monkeypatch.context() as patched:
        patched.setattr(EventLog, "state", Mock(side_effect=OSError("away")))
        await a_bench.store.adopt(epoch, known)
        await a_bench.project([EventBatch(0, known, mine(before), epoch)])
        with pytest.raises(OSError, match="away"):
            await a_bench.project([EventBatch(known, known + 1, [], epoch)])
        assert (await a_bench.store.progress())[0] == known
        await a_bench.project(
            [EventBatch(known, known + 1, [], epoch), EventBatch(known + 1, known + 2, [own], epoch)]
        )
    await assert_is(a_bench, written)


async def test_a_batch_of_another_partition_is_unusable(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """A batch of another partition is unusable, because its positions would skip events of this one."""
    written = random_log()
    await append(event_store.owner, written.events)
    with pytest.raises(UnusableMessage, match="another partition"):
        await a_bench.project(batches(written.events, 1))
    assert (await a_bench.store.progress())[0] == 0


async def test_heartbeat_below_the_checkpoint_stops_the_partition_if_the_log_ends_there(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """A late heartbeat changes nothing, but if the log ends before the checkpoint, the partition stops."""
    written = random_log()
    await append(event_store.owner, written.events)
    head = written.events[-1].position
    await a_bench.project([EventBatch(head, head, [])])
    epoch = (await a_bench.store.checkpoint()).epoch
    await a_bench.project([EventBatch(head - 1, head - 1, [], epoch)])
    await a_bench.projector.check()
    connection = await asyncpg.connect(event_store.owner)
    await connection.execute(
        "ALTER TABLE log_head DISABLE TRIGGER USER; UPDATE log_head SET position = position - 1"
    )
    await connection.close()
    with pytest.raises(Poison, match="was restored"):
        await a_bench.project([EventBatch(head - 1, head - 1, [], epoch)])
    with pytest.raises(PartitionStopped):
        await a_bench.projector.check()


async def test_head_beyond_the_log_stops_the_partition_although_its_batch_has_a_new_event(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """If a batch with new events names a head beyond the log, the next heartbeat stops the partition."""
    written = random_log()
    await append(event_store.owner, written.events[:100])
    _, (epoch, known, *_) = await a_bench.projector.compare()
    await a_bench.store.adopt(epoch, known)
    await append(event_store.owner, written.events[100:])
    head = written.events[-1].position
    await a_bench.project([EventBatch(0, head + 10, mine(written.events), epoch)])
    assert await a_bench.rows("wallets") == wallet_rows(written, 0)
    with pytest.raises(Poison, match="restored to an older state"):
        await a_bench.project([EventBatch(head, head, [], epoch)])
    with pytest.raises(PartitionStopped):
        await a_bench.projector.check()


async def test_no_event_is_applied_after_one_that_a_wrong_head_skipped(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """If a batch with new events names a head behind a missing event, later events of that wallet are refused."""
    written = random_log()
    await append(event_store.owner, written.events)
    own, head = mine(written.events), written.events[-1].position
    skipped, later = next(
        (a, b) for a in own[1:] for b in own if (a.stream_id, a.version + 1) == (b.stream_id, b.version)
    )
    refusal = rf"version {later.version} of Wallet\(account_id='{skipped.stream_id}'"
    earlier = [event for event in own if event.position < skipped.position]
    following = [event for event in own if event.position > skipped.position]
    await a_bench.project([EventBatch(0, skipped.position, earlier)])
    before = await a_bench.rows("wallets")
    with pytest.raises(UnusableMessage, match=refusal):
        await a_bench.project([EventBatch(skipped.position, head, following)])
    with pytest.raises(
        Poison, match=refusal
    ):  # the heartbeat shows the gap, and the event store has the same event
        await a_bench.project([EventBatch(head, head, [])])
    assert await a_bench.rows("wallets") == before


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
    written = RandomLog()
    written.do(OpenWallet("w", 5, "USD"))
    new = written.wallet("w")
    written.do(Deposit("w", 1, "USD"))
    writer = CacheWriter(a_bench.redis, 60, announce=False)
    await writer.write([just_read(written.wallet("w"), Checkpoint(9, uuid4()))])
    await writer.write([just_read(new, Checkpoint(1, uuid4()))])
    entry = await a_bench.entry("w")
    assert entry is not None
    assert (entry.version, entry.position) == (1, 1)


@pytest.mark.parametrize("damage", ["type", "version", "overdraft"])
async def test_no_event_of_an_unusable_batch_is_applied(a_bench: Bench, damage: str) -> None:
    """If one event of a batch is undecodable or impossible, no event of the batch is applied."""
    written = random_log()
    made = batches(written.events, 0)
    await a_bench.project(made[:5])
    bad = next(batch for batch in made[5:] if batch.events)
    with pytest.raises(UnusableMessage):
        await a_bench.project([*made[5 : made.index(bad)], damaged(bad, damage)])
    assert (await a_bench.store.progress())[0] == made[4].head


async def test_an_event_of_the_log_that_cannot_be_applied_is_poison(
    event_store: DatabaseUrls, a_bench: Bench
) -> None:
    """If the event store has an unusable event, the projector raises Poison and applies no later event."""
    written = random_log()
    at = next(n for n, event in enumerate(written.events) if n > 20 and mine([event]))
    written.events[at] = msgspec.structs.replace(written.events[at], type="MoneyEvaporated")
    await append(event_store.owner, written.events)
    head = written.events[-1].position
    with pytest.raises(Poison):
        await a_bench.project([EventBatch(head, head, [])])
    assert (await a_bench.store.progress())[0] < written.events[at].position


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


async def test_resumed_partition_reads_the_missed_events(event_store: DatabaseUrls, a_bench: Bench) -> None:
    """After a stopped partition is resumed, it reads the missed events from the event store."""
    written = random_log()
    await append(event_store.owner, written.events)
    made = batches(written.events, 0)
    await a_bench.project(made[:3])
    await a_bench.projector.stop("poison")
    await a_bench.project(made[3:6])
    assert await a_bench.store.progress() == (made[2].head, "poison")
    with pytest.raises(PartitionStopped):
        await a_bench.projector.check()
    await a_bench.store.resume()
    await a_bench.project(made[-1:])
    await a_bench.projector.check()
    await assert_is(a_bench, written)


async def test_two_projections_of_one_partition_apply_each_event_once(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], redis_server: RedisServer
) -> None:
    """Two projections of one partition apply each event once, so a former active consumer does no harm."""
    written = random_log(400)
    made = batches(written.events, 0)
    async with (
        bench(event_store, read_shards[0], redis_server) as one,
        bench(event_store, read_shards[0], redis_server) as other,
    ):
        await append(event_store.owner, written.events)

        async def consume(which: Bench) -> None:
            for batch in made:
                await which.projector.project([batch])

        failures = await asyncio.gather(consume(one), consume(other), return_exceptions=True)
        assert [failure for failure in failures if failure is not None] == []
        await assert_is(one, written)


async def test_an_older_version_never_replaces_a_newer_one(a_bench: Bench) -> None:
    """A late write of an older version does not replace a newer entry."""
    written = RandomLog()
    written.do(OpenWallet("w", 5, "USD"))
    old = written.wallet("w")
    written.do(Deposit("w", 1, "USD"))
    writer = CacheWriter(a_bench.redis, 60, announce=False)
    await writer.write([just_read(written.wallet("w"), Checkpoint(2))])
    await writer.write([just_read(old, Checkpoint(1))])
    entry = await a_bench.entry("w")
    assert entry is not None
    assert (entry.version, entry.position) == (2, 2)


async def test_redelivered_batch_updates_redis_after_a_crash(a_bench: Bench) -> None:
    """After a crash between commit and cache write, the redelivered batch updates the entry."""
    written = random_log()
    made = batches(written.events, 0)
    await a_bench.project(made)
    await a_bench.redis.flushall()
    await a_bench.project(made[-3:])
    for event in made[-3].events:
        entry = await a_bench.entry(event.stream_id)
        assert entry is not None
        assert entry.version >= event.version


async def test_a_change_is_announced(a_bench: Bench) -> None:
    """A change is announced by Pub/Sub with the complete entry."""
    written = random_log()
    batch = next(batch for batch in batches(written.events, 0) if batch.events)
    async with a_bench.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(channel(batch.events[0].stream_id))
        await pubsub.get_message(timeout=1)
        await a_bench.project([batch])
        message = await pubsub.get_message(timeout=5)
        while message is None:
            message = await pubsub.get_message(timeout=5)
    assert parse_entry(message["data"]).version >= 1


async def test_dead_redis_does_not_stop_the_projection(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls]
) -> None:
    """If Redis is dead, the projection continues and waits at most its timeout."""
    written = random_log()
    await append(event_store.owner, written.events)
    redis = Redis.from_url("redis://127.0.0.1:1/0")
    async with open_pool(event_store.service, "test") as pool, Store(read_shards[0].service) as store, redis:
        cache = BalanceCache(redis, 60, 0.2)
        projector = Projector(0, PARTITIONS, store, EventLog(pool), cache, chunk_max=10, wallets_max=100)
        for batch in batches(written.events, 0):
            await projector.project([batch])
        assert (await store.progress())[0] == written.events[-1].position
