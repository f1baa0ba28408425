"""The consumer on a real RabbitMQ: lost, damaged and queued messages, outages of the broker, standbys."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from unittest.mock import Mock

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError
from cqrs_support.histories import RandomLog, append, batches, random_log, wallet_rows
from cqrs_support.replicas import query
from cqrs_support.silencing import SilenceableWay
from redis.asyncio import Redis

from wallet_cqrs import broker, messages
from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import DEAD_LETTER_EXCHANGE, EventBatch, partition_of, queue_name, routing_key
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.projection.consumer import BURIED, Consumer, NotConsuming
from wallet_cqrs.projection.projector import PartitionStopped, Projector
from wallet_cqrs.projection.store import Store
from wallet_cqrs.read_model import Fold
from wallet_kernel.runtime.readiness import NotReady
from wallet_kernel.tasks import background
from wallet_lab.testing import DatabaseUrls, RabbitServer, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WAIT_S = 60.0


class Line:
    """A consumer of partition 0 with its databases, and a publisher in the role of the relay."""

    def __init__(self, projector: Projector, store: Store, url: str, shard: DatabaseUrls) -> None:
        self.consumer = Consumer(url, projector, 2, 16)
        self.store = store
        self.url = url
        self._projector = projector
        self.shard = shard

    async def publish(self, bodies: Sequence[bytes]) -> None:
        """Sends message bodies to partition 0. If the broker does not confirm one, sends all again."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                async with asyncio.timeout(5):
                    return await self._publish(bodies)
            except (AMQPError, OSError, TimeoutError):
                assert time.monotonic() < deadline
            await asyncio.sleep(0.1)

    async def _publish(self, bodies: Sequence[bytes]) -> None:
        async with await aio_pika.connect(self.url) as connection:
            exchange = await broker.declare(await connection.channel(), 2)
            for body in bodies:
                await exchange.publish(
                    aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), routing_key(0)
                )

    async def repeat(self, bodies: Sequence[bytes]) -> None:
        """Sends messages again and again, as the relay does. A restarted broker may have lost the queue's messages."""
        while True:
            await self.publish(bodies)
            await asyncio.sleep(1)

    async def ready(self) -> bool:
        """Returns whether the consumer is ready."""
        with contextlib.suppress(NotReady, NotConsuming):
            await self.consumer.check()
            return True
        return False

    async def dead_letter(self) -> bytes | None:
        """Removes and returns the first dead letter."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            message = await (await channel.get_queue(DEAD_LETTER_EXCHANGE)).get(fail=False)
            if message is not None:
                await message.ack()
            return message.body if message else None

    async def waiting(self) -> int:
        """Returns the number of ready messages in the queue."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(queue_name(0), passive=True)
            return queue.declaration_result.message_count or 0

    async def drained(self) -> bool:
        """Returns whether the queue is empty."""
        return await self.waiting() == 0

    async def forget(self) -> None:
        """Deletes and declares all queues."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            for name in (queue_name(0), queue_name(1), DEAD_LETTER_EXCHANGE):
                await channel.queue_delete(name)
            await broker.declare(channel, 2)

    def another(self, url: str) -> "Line":
        """Returns another consumer of the same partition, with this broker URL."""
        return Line(self._projector, self.store, url, self.shard)

    @asynccontextmanager
    async def consuming(self) -> AsyncIterator[None]:
        """Runs the consumer while the context is open."""
        task = asyncio.create_task(self.consumer.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def reached(self, position: int) -> None:
        """Waits until the read model has reached the position."""

        async def there() -> bool:
            return (await self.store.progress())[0] >= position

        await eventually(there)

    async def assert_holds_all(self, written: RandomLog) -> None:
        """Waits until the read model equals the fold of all events."""
        await self.reached(written.events[-1].position)
        rows = await query(self.shard.service, "SELECT * FROM read_model.wallets ORDER BY 1")
        assert [tuple(row) for row in rows] == wallet_rows(written, 0)


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float = WAIT_S) -> None:
    """Waits for the condition."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


def bodies(made: Sequence[EventBatch]) -> list[bytes]:
    """Returns the message bodies of batches."""
    return [messages.encode(batch) for batch in made]


@pytest.fixture
async def line(
    event_store: DatabaseUrls,
    read_shards: list[DatabaseUrls],
    redis_server: RedisServer,
    rabbitmq: RabbitServer,
) -> AsyncIterator[Line]:
    """All servers, with empty databases and queues."""
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(open_pool(event_store.service, "test"))
        store = await opened.enter_async_context(Store(read_shards[0].service))
        redis = await opened.enter_async_context(Redis.from_url(redis_server.url))
        cache = BalanceCache(redis, 60, 1)
        projector = Projector(0, 2, store, EventLog(pool), cache, chunk_max=50, wallets_max=100)
        made = Line(projector, store, rabbitmq.url, read_shards[0])
        await made.forget()
        yield made


@pytest.fixture
async def written(event_store: DatabaseUrls) -> RandomLog:
    """A log that the event store contains."""
    made = random_log()
    await append(event_store.owner, made.events)
    return made


async def test_messages_are_applied_to_the_read_model(line: Line, written: RandomLog) -> None:
    """The consumer applies all messages, and the queue is empty afterwards."""
    await line.publish(bodies(batches(written.events, 0)))
    async with line.consuming():
        await line.assert_holds_all(written)
        await line.consumer.check()
        await eventually(line.drained)


async def test_message_is_acknowledged_after_redis_has_its_balances(
    line: Line, written: RandomLog, redis_server: RedisServer
) -> None:
    """If the projection ends before Redis has the balances of a message, the broker delivers the message again."""
    first = batches(written.events, 0)[0]
    async with SilenceableWay(redis_server.url).open() as way, Redis.from_url(way.url) as redis:
        way.silence(for_good=True)
        line._projector._cache = BalanceCache(redis, 60, 60)
        await line.publish(bodies([first]))
        async with line.consuming():
            await line.reached(first.head)
            await asyncio.sleep(0.3)

        async def returned() -> bool:
            return await line.waiting() == 1

        await eventually(returned, within_s=10)


async def test_events_of_a_lost_message_are_read_from_the_event_store(line: Line, written: RandomLog) -> None:
    """If a message is lost from the queue, the projection reads its events from the event store."""
    made = batches(written.events, 0)
    await line.publish(bodies(made[:5]))
    await line.forget()
    await line.publish(bodies(made[5:9]))
    async with line.consuming():
        await line.reached(made[8].head)
        await line.publish(bodies(made[-1:]))
        await line.assert_holds_all(written)


OTHERS_EVENT = next(event for event in random_log().events if partition_of(event.stream_id, 2) == 1)
PLANT = """INSERT INTO read_model.postings (account_id, version, kind, transaction_id, amount_micros, balance_micros,
counterparty, at) VALUES ($1, $2, 'deposit', gen_random_uuid(), 1, 1, 'planted', now())"""
"""Occupies the key of an event's posting."""


def buried() -> float:
    """Returns the number of messages of partition 0 that were sent to the dead letters."""
    return float(BURIED.labels("0")._value.get())


FOREIGN = {
    "undecodable": b"\xc1 no message",
    "nested too deeply": b"\x91" * 200_000 + b"\xc0",
    "of another partition": messages.encode(EventBatch(0, 10**9, [OTHERS_EVENT])),
}


@pytest.mark.parametrize("kind", FOREIGN)
async def test_foreign_message_is_buried_and_its_partition_continues(
    line: Line, written: RandomLog, kind: str
) -> None:
    """A foreign message goes to the dead letters and is counted; all events are applied without an operator."""
    made = batches(written.events, 0)
    before = buried()
    await line.publish([*bodies(made[:4]), FOREIGN[kind], *bodies(made[4:])])
    async with line.consuming():
        await line.assert_holds_all(written)
        await eventually(line.drained)
        await line.consumer.check()
    assert await line.dead_letter() == FOREIGN[kind]
    assert buried() == before + 1


async def test_events_of_a_garbled_message_are_read_from_the_event_store(
    line: Line, written: RandomLog
) -> None:
    """A damaged message goes to the dead letters, and the next heartbeat reveals the gap."""
    made = batches(written.events, 0)
    lost = next(n for n, batch in enumerate(made) if n > 3 and batch.events)
    head = written.events[-1].position
    await line.publish([*bodies(made[:lost]), b"\xc1", messages.encode(EventBatch(head, head, []))])
    async with line.consuming():
        await line.assert_holds_all(written)
        await line.consumer.check()


async def test_an_event_that_cannot_be_applied_stops_its_partition(line: Line, written: RandomLog) -> None:
    """If the event store has the same unusable event, the partition is stopped until an operator resumes it."""
    made = batches(written.events, 0)
    bad = next(n for n, batch in enumerate(made) if n > 3 and batch.events)
    event = made[bad].events[0]
    await query(line.shard.owner, PLANT, event.stream_id, event.version)
    await line.publish(bodies(made))
    async with line.consuming():

        async def stopped() -> bool:
            return (await line.store.progress())[1] is not None

        await eventually(stopped)
        assert (await line.store.progress())[0] < event.position
        with pytest.raises(PartitionStopped, match=r"(?s)UniqueViolation.*\./lab rebuild"):
            await line.consumer.check()
        await query(line.shard.owner, "DELETE FROM read_model.postings WHERE counterparty = 'planted'")
        await line.store.resume()
        await line.publish(bodies(made[-1:]))
        await line.assert_holds_all(written)
        await line.consumer.check()


async def test_an_unknown_exception_is_named_and_retried(
    line: Line, written: RandomLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the projection has a bug, readiness and log name the exception, and the subscription stays."""
    made = batches(written.events, 0)
    subscriptions = subscriptions_counted(monkeypatch)

    async def failing() -> bool:
        return "a bug" in await obstacle(line)

    with monkeypatch.context() as patched:
        patched.setattr(Fold, "apply", Mock(side_effect=ZeroDivisionError("a bug")))
        await line.publish(bodies(made))
        async with line.consuming():
            await eventually(failing)
            patched.undo()
            await line.assert_holds_all(written)
            await eventually(line.drained)
            await line.consumer.check()
    assert "broker away" not in caplog.messages
    assert len(subscriptions) == 1


async def obstacle(line: Line) -> str:
    """Returns the reason why the consumer is not ready; empty if it is ready."""
    try:
        await line.consumer.check()
    except Exception as error:  # noqa: BLE001 -- readiness catches every exception too
        return repr(error)
    return ""


def subscriptions_counted(monkeypatch: pytest.MonkeyPatch) -> list[Consumer]:
    """Records each subscription from now on."""
    counted: list[Consumer] = []
    subscription = Consumer._subscription

    async def counting(consumer: Consumer) -> None:
        counted.append(consumer)
        await subscription(consumer)

    monkeypatch.setattr(Consumer, "_subscription", counting)
    return counted


async def test_a_standby_stays_subscribed_and_ready(
    line: Line, written: RandomLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby gets no messages, but stays subscribed and ready."""
    monkeypatch.setattr("wallet_cqrs.projection.consumer.SILENCE_MAX_S", 0.2)
    subscriptions = subscriptions_counted(monkeypatch)
    made = batches(written.events, 0)
    standby = line.another(line.url)

    async def ready() -> bool:
        return not await obstacle(standby)

    async with standby.consuming():
        async with line.consuming():
            await eventually(ready)
            for batch in made[:10]:
                await line.publish(bodies([batch]))
                await asyncio.sleep(0.1)
                await standby.consumer.check()
            assert sorted(map(id, subscriptions)) == sorted(map(id, [line.consumer, standby.consumer]))
        await line.publish(bodies(made[10:]))
        await line.assert_holds_all(written)


async def test_stopped_partition_stays_stopped_after_a_restart(line: Line, written: RandomLog) -> None:
    """A restart does not resume a stopped partition."""
    made = batches(written.events, 0)
    await line.store.stop("poison")
    await line.publish(bodies(made))
    async with line.consuming():
        await eventually(line.drained)
    assert await line.store.progress() == (0, "poison")


async def test_consumer_stops_a_diverged_partition_at_its_start(line: Line) -> None:
    """If the log lost events while the projection was down, the projection stops the partition at its start."""
    await query(line.shard.owner, "UPDATE read_model.checkpoint SET position = 7")
    async with line.consuming():

        async def subscribed() -> bool:
            return "NotConsuming" not in await obstacle(line)

        await eventually(subscribed)
        with pytest.raises(PartitionStopped, match="was restored"):
            await line.consumer.check()


async def test_consumer_applies_each_event_once_after_a_restart_of_the_broker(
    line: Line, written: RandomLog, rabbitmq: RabbitServer
) -> None:
    """After a restart of the broker, redelivered messages are applied once."""
    made = batches(written.events, 0)
    await line.publish(bodies(made[: len(made) // 2]))
    async with line.consuming():
        await line.reached(made[2].head)
        rabbitmq.kill()
        rabbitmq.start()
        await line.publish(bodies(made[len(made) // 2 :]))
        async with background(line.repeat(bodies(made[-1:]))):
            await line.assert_holds_all(written)
        await eventually(line.ready)


async def test_standby_takes_over_from_a_paused_consumer(
    line: Line, written: RandomLog, rabbitmq: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the active consumer is paused, the broker detects it and activates the standby."""
    monkeypatch.setattr(
        "wallet_cqrs.projection.consumer.SILENCE_MAX_S", WAIT_S * 10
    )  # because the paused consumer does not detect it
    made = batches(written.events, 0)
    async with SilenceableWay(rabbitmq.url).open() as way, line.another(way.url).consuming():
        await line.publish(bodies(made[:3]))
        await line.reached(made[2].head)
        way.silence()
        async with line.consuming():
            await line.publish(bodies(made[3:]))
            await line.assert_holds_all(written)


async def test_deleted_queue_is_declared_again(
    line: Line, written: RandomLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the queue is deleted, the consumer subscribes again and declares it."""
    monkeypatch.setattr("wallet_cqrs.projection.consumer.SILENCE_MAX_S", 0.5)
    made = batches(written.events, 0)
    await line.publish(bodies(made[:3]))
    async with line.consuming():
        await line.reached(made[2].head)
        async with await aio_pika.connect(line.url) as connection:
            await (await connection.channel()).queue_delete(queue_name(0))
        await asyncio.sleep(1)
        await line.publish(bodies(made[3:]))
        await line.assert_holds_all(written)


async def test_unresponsive_queue_is_replaced_after_a_crash_of_the_broker(
    line: Line, written: RandomLog, rabbitmq: RabbitServer
) -> None:
    """If a quorum queue never answers after a crash, the consumer replaces it and reads the event store."""
    made = batches(written.events, 0)
    async with await aio_pika.connect(line.url) as connection:
        await (await connection.channel()).queue_delete(queue_name(0))
    await line.publish(bodies(made[:3]))
    rabbitmq.kill()
    rabbitmq.start()
    async with line.consuming():

        async def consuming() -> bool:
            with contextlib.suppress(NotConsuming):
                await line.consumer.check()
                return True
            return False

        await eventually(consuming, 60)
        await line.publish(bodies(made[-1:]))
        await line.assert_holds_all(written)
