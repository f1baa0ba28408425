"""The relay on a real broker publishes all events in order and at least once, through crashes and outages."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Self
from uuid import UUID

import aio_pika
import pytest
from cqrs_support.brokers import PARTITIONS, BrokerServer, Listener, listening, running_broker
from cqrs_support.replicas import Replica, opening, query, replica, transfer
from cqrs_support.waiting import until

from wallet_cqrs import broker as broker_names
from wallet_cqrs.domain.submissions import NotDone
from wallet_cqrs.events import decode
from wallet_cqrs.messages import (
    DEAD_LETTER_EXCHANGE,
    EXCHANGE,
    EventBatch,
    EventMessage,
    partition_of,
    queue_name,
)
from wallet_cqrs.relay.log_tail import GapInLog, LogTail, NotActive, leading
from wallet_cqrs.relay.publisher import PATIENCE_S, connected
from wallet_cqrs.relay.relay import BUSY_EVENTS, INTERVAL_MAX_S, Publisher, Relay, interval_after
from wallet_kernel.runtime.readiness import NotReady
from wallet_lab.testing import DatabaseUrls, RunningService, running_service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NAMES = [f"w{n}" for n in range(20)]


@pytest.fixture(scope="module")
def node() -> Iterator[BrokerServer]:
    """A broker for this module."""
    with running_broker() as server:
        yield server


@pytest.fixture
async def broker(node: BrokerServer) -> BrokerServer:
    """The broker, without exchanges and queues."""
    async with await aio_pika.connect(node.url) as connection:
        channel = await connection.channel()
        for name in (*map(queue_name, range(PARTITIONS)), DEAD_LETTER_EXCHANGE):
            await channel.queue_delete(name)
        for name in (EXCHANGE, DEAD_LETTER_EXCHANGE):
            await channel.exchange_delete(name)
    return node


@asynccontextmanager
async def relaying(
    event_store: DatabaseUrls,
    broker: BrokerServer,
    *,
    group_max: int = 1000,
    group_interval_s: float = 0,
    heartbeat_s: float = 0.2,
    connect: AbstractAsyncContextManager[Publisher] | None = None,
) -> AsyncIterator[Relay]:
    """Runs a relay in this process."""
    relay = Relay(
        partial(leading, event_store.service, 0.1),
        (lambda: connect) if connect else partial(connected, broker.url, PARTITIONS, 5.0),
        group_max=group_max,
        group_interval_s=group_interval_s,
        heartbeat_s=heartbeat_s,
    )
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def append(one: Replica, transfers: int) -> int:
    """Appends transfers between wallets of all partitions; returns the head."""
    if not one.cache.wallets:
        await one.perform_all([opening(name, 1000) for name in NAMES])
    ring = zip(itertools.cycle(NAMES), itertools.cycle(NAMES[1:] + NAMES[:1]), strict=False)
    await one.perform_all([transfer(payer, payee, 1) for payer, payee in itertools.islice(ring, transfers)])
    return (await one.store.head())[1]


async def checkpoint(event_store: DatabaseUrls) -> int:
    """Returns the relay's checkpoint."""
    return int((await query(event_store.service, "SELECT position FROM relay_checkpoint"))[0][0])


async def assert_all_told(event_store: DatabaseUrls, listener: Listener) -> None:
    """Asserts that every partition received all its events in order, apart from duplicates."""
    rows = await query(
        event_store.service,
        """SELECT position, stream_id, version, type, schema_version, transaction_id, data, at
           FROM events ORDER BY position""",
    )
    for partition in range(PARTITIONS):
        expected = [
            EventMessage(*row) for row in rows if partition_of(row["stream_id"], PARTITIONS) == partition
        ]
        assert listener.events(partition) == expected


@pytest.mark.parametrize("group_max", [1, 7, 1000])
async def test_every_event_is_published_in_order(
    event_store: DatabaseUrls, broker: BrokerServer, group_max: int
) -> None:
    """Every event reaches its partition in order, and every partition gets a message of every batch."""
    async with (
        replica(event_store.service) as one,
        listening(broker.url) as listener,
        relaying(event_store, broker, group_max=group_max),
    ):
        await append(one, 50)
        head = await append(one, 30)
        await listener.until_head(head)
        await until_checkpoint(event_store, head)
    await assert_all_told(event_store, listener)
    for event in listener.events(0):
        decode(event.type, event.schema_version, event.data)


async def until_checkpoint(event_store: DatabaseUrls, position: int) -> None:
    """Waits until the relay's checkpoint has reached the position."""
    for _ in range(200):
        if await checkpoint(event_store) == position:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the checkpoint is {await checkpoint(event_store)}, not {position}")


async def test_idle_relay_publishes_the_head_of_the_log(
    event_store: DatabaseUrls, broker: BrokerServer
) -> None:
    """An idle relay publishes the log's head, so that a partition with lost messages detects that it lags."""
    async with replica(event_store.service) as one:
        head = await append(one, 3)
    async with relaying(event_store, broker):
        await until_checkpoint(event_store, head)
        async with listening(broker.url) as listener:
            await until(lambda: len(listener.batches[0]) > 1, 5, "something after the events")
            last = listener.batches[0][-1]
            assert last == EventBatch(head, head, [], last.epoch)


class Withheld:
    """A broker that accepts batches, and confirms them only when the test releases it."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int]] = []
        self.confirm = asyncio.Event()

    async def publish(self, _: UUID, after: int, head: int, events: Sequence[EventMessage]) -> None:
        assert len(events) == head - after
        self.taken.append((after, head))
        await self.confirm.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_checkpoint_advances_only_after_the_confirmation(
    event_store: DatabaseUrls, broker: BrokerServer
) -> None:
    """The checkpoint does not advance before the broker's confirmation, so a crash repeats the batch."""
    withheld = Withheld()
    async with replica(event_store.service) as one:
        head = await append(one, 3)
    async with relaying(event_store, broker, connect=withheld):
        await until(lambda: bool(withheld.taken), 5, "a batch was published")
        await asyncio.sleep(0.3)
        assert await checkpoint(event_store) == 0
        withheld.confirm.set()
        await until_checkpoint(event_store, head)


async def test_relay_holds_one_batch_at_a_time(event_store: DatabaseUrls, broker: BrokerServer) -> None:
    """While the broker does not answer, the relay has only one batch in memory."""
    withheld = Withheld()
    async with replica(event_store.service) as one:
        await append(one, 3)
        async with relaying(event_store, broker, connect=withheld, group_max=10):
            await append(one, 100)
            await asyncio.sleep(0.5)
    assert withheld.taken == [(0, 10)]


async def test_events_within_the_interval_form_one_batch(
    event_store: DatabaseUrls, broker: BrokerServer
) -> None:
    """Events within the interval form one batch; events after a pause or a small batch are published immediately."""
    taking = Withheld()
    taking.confirm.set()
    async with (
        replica(event_store.service) as one,
        relaying(event_store, broker, connect=taking, group_interval_s=2),
    ):
        await append(one, 1)
        await asyncio.sleep(2.2)
        before = len(taking.taken)
        for transfers in (1, 1, 10):
            head = await append(one, transfers)
            await until(lambda head=head: taking.taken[-1][1] == head, 0.8, "published")  # type: ignore[misc]
        for _ in range(5):
            head = await append(one, 1)
            await asyncio.sleep(0.05)
        await until(lambda: taking.taken[-1][1] == head, 4, "the second batch")
    assert [events for after, end in taking.taken[before:] if (events := end - after)] == [2, 2, 20, 10]


def test_interval_grows_with_the_batch_up_to_a_limit() -> None:
    """A small batch causes no interval. A larger one causes the least interval or a longer one, up to a limit."""
    assert interval_after(BUSY_EVENTS - 1, 0.02) == 0
    assert interval_after(BUSY_EVENTS, 0.02) == interval_after(100, 0.02) == 0.02
    assert 0.02 < interval_after(200, 0.02) < interval_after(1000, 0.02) == INTERVAL_MAX_S


async def test_single_transfers_share_a_write_of_the_checkpoint(
    event_store: DatabaseUrls, broker: BrokerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a client sends one transfer after the other, the relay does not write its checkpoint after each of them."""
    monkeypatch.setattr("wallet_cqrs.relay.log_tail.CHECKPOINT_INTERVAL_S", 60)
    written = list[int]()
    write = LogTail._use

    async def counting(log: LogTail, statement: str, *arguments: int) -> None:
        written.extend(arguments)
        await write(log, statement, *arguments)

    monkeypatch.setattr(LogTail, "_use", counting)
    await relay_single_transfers(event_store, broker, 10)
    assert len(written) <= 1


async def test_single_transfers_take_one_read_each(
    event_store: DatabaseUrls, broker: BrokerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each transfer, the relay waits for the next notification instead of reading again."""
    reads = list[int]()
    read = LogTail.after

    async def counting(log: LogTail, position: int, limit: int) -> list[EventMessage]:
        reads.append(position)
        return await read(log, position, limit)

    monkeypatch.setattr(LogTail, "after", counting)
    await relay_single_transfers(event_store, broker, 10)
    assert len(reads) <= 15  # one for each batch, the first one, and some for notifications that come late


async def relay_single_transfers(event_store: DatabaseUrls, broker: BrokerServer, transfers: int) -> None:
    """Appends transfers one after the other, each after the relay has published the one before."""
    taking = Withheld()
    taking.confirm.set()
    async with (
        replica(event_store.service) as one,
        relaying(event_store, broker, connect=taking, heartbeat_s=60),
    ):
        for _ in range(transfers):
            head = await append(one, 1)
            await until(lambda head=head: head in [end for _, end in taking.taken], 20, "published")  # type: ignore[misc]
            await asyncio.sleep(0.05)


async def test_full_queue_does_not_delay_the_other_partitions(
    event_store: DatabaseUrls, broker: BrokerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a queue is full, the other partitions continue, and its later messages reveal the gap."""
    monkeypatch.setitem(broker_names._QUEUE, "x-max-length", 3)
    async with replica(event_store.service) as one, relaying(event_store, broker, group_max=1):
        async with listening(broker.url, range(1, 2)) as listener:
            head = await append(one, 20)
            await listener.until_head(head, range(1, 2))
            await until_checkpoint(event_store, head)
        async with listening(broker.url, range(1)) as behind:
            await behind.until_head(head, range(1))
    assert max(later.after - earlier.head for earlier, later in itertools.pairwise(behind.batches[0])) > 0


async def heard_after_s(one: Replica, listener: Listener, rounds: int) -> float:
    """Appends a few events in each round, and returns the seconds until partition 1 has received them all."""
    begin = asyncio.get_running_loop().time()
    for _ in range(rounds):
        await listener.until_head(await append(one, 3), range(1, 2))
    return asyncio.get_running_loop().time() - begin


async def test_unresponsive_queue_does_not_delay_the_other_partitions(
    event_store: DatabaseUrls, broker: BrokerServer
) -> None:
    """The relay waits once for an unresponsive queue, then skips it, and uses it again after it answers."""
    async with (
        replica(event_store.service) as one,
        relaying(event_store, broker),
        listening(broker.url, range(1, 2)) as listener,
    ):
        await until_checkpoint(event_store, await append(one, 3))
        usual_s = await heard_after_s(one, listener, 8)
        async with broker.silent(queue_name(0)):
            await until_checkpoint(event_store, await append(one, 3))
            assert await heard_after_s(one, listener, 8) < usual_s + 5 * PATIENCE_S
            _, head = await one.store.head()
            await until_checkpoint(event_store, head)
        async with listening(broker.url, range(1)) as behind:
            head = await append(one, 3)
            await behind.until_head(head, range(1))
    listener.events(1)


async def test_missing_queue_is_declared_again(event_store: DatabaseUrls, broker: BrokerServer) -> None:
    """If a queue is missing, the relay declares it and publishes the message again."""
    async with replica(event_store.service) as one, relaying(event_store, broker):
        await until_checkpoint(event_store, await append(one, 3))
        async with await aio_pika.connect(broker.url) as connection:
            await (await connection.channel()).queue_delete(queue_name(0))
        _, before = await one.store.head()
        head = await append(one, 20)
        await until_checkpoint(event_store, head)
        async with await aio_pika.connect(broker.url) as connection:
            channel = await connection.channel()
            await broker_names.declare(channel, PARTITIONS)
            queue = await channel.get_queue(queue_name(0))
            assert queue.declaration_result.message_count
    assert head > before


async def test_relay_starts_again_in_a_new_epoch(event_store: DatabaseUrls, broker: BrokerServer) -> None:
    """After a restore, a relay with a later checkpoint publishes the new events in the new epoch."""
    async with (
        replica(event_store.service) as one,
        listening(broker.url) as listener,
        relaying(event_store, broker),
    ):
        await until_checkpoint(event_store, await append(one, 10))
        old = listener.batches[0][-1].epoch
        await query(event_store.service, "UPDATE relay_checkpoint SET position = 1000")
        await query(event_store.owner, "SELECT begin_epoch('a test')")
        while isinstance(await one.perform(transfer(NAMES[0], NAMES[1], 1)), NotDone):
            pass
        _, head = await one.store.head()
        await until(lambda: listener.batches[0][-1].head == head, 10, "the new event is published")
    assert listener.batches[0][-1].epoch not in (None, old)


async def test_relay_stops_before_a_gap_in_the_log(event_store: DatabaseUrls, broker: BrokerServer) -> None:
    """If the log has a gap, the relay stops before the gap and reports it."""
    async with replica(event_store.service) as one:
        head = await append(one, 3)
    await query(
        event_store.owner,
        """INSERT INTO events VALUES ((SELECT max(position) + 2 FROM events), 'late', 1, 'WalletFrozen', 1, NULL,
           '{}', now())""",
    )
    async with relaying(event_store, broker) as relay:
        await until(
            lambda: relay._obstacle is not None and GapInLog.__name__ in relay._obstacle, 5, "an obstacle"
        )
        with pytest.raises(NotReady):
            await relay.check()
        assert await checkpoint(event_store) == head


async def test_a_relay_that_lost_its_lock_stops(event_store: DatabaseUrls) -> None:
    """If the session with the lock ends, its relay stops reading, and another relay becomes active."""
    async with leading(event_store.service, 0.05) as log:
        await log.start()
        await query(
            event_store.service,
            """SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
               WHERE locktype = 'advisory' AND datname = current_database()""",
        )
        async with asyncio.timeout(60), leading(event_store.service, 0.05) as other:
            assert await other.start() == 0
        await until(log._leader.is_closed, 10, "the relay notices that its session ended")
        with pytest.raises(NotActive):
            await log.after(0, 1)


@pytest.fixture
def start_relay(event_store: DatabaseUrls, broker: BrokerServer, tmp_path: Path) -> Iterator["Start"]:
    """Starts relays as separate processes."""
    with ExitStack() as stack:
        yield Start(stack, event_store, broker, tmp_path)


class Start:
    def __init__(self, stack: ExitStack, event_store: DatabaseUrls, broker: BrokerServer, logs: Path) -> None:
        self._stack, self._event_store, self._broker, self._logs = stack, event_store, broker, logs
        self._count = itertools.count()

    def __call__(self, **settings: str) -> RunningService:
        return self._stack.enter_context(
            running_service(
                "wallet_cqrs.relay",
                self._logs / f"relay-{next(self._count)}.log",
                event_store_url=self._event_store.service,
                broker_url=self._broker.url,
                read_urls=",".join(["postgresql://unused"] * PARTITIONS),
                **settings,
            )
        )


async def test_a_standby_takes_over_when_the_active_relay_is_killed(
    event_store: DatabaseUrls, broker: BrokerServer, start_relay: Start
) -> None:
    """If the active relay is killed, a standby continues from the checkpoint within ten seconds."""
    async with replica(event_store.service) as one, listening(broker.url) as listener:
        first = start_relay()
        await first.until_ready()
        await listener.until_head(await append(one, 20))
        second = start_relay()
        await second.until_ready()
        appending = asyncio.create_task(append(one, 2000))
        await asyncio.sleep(0.1)
        first.kill()
        await appending
        await listener.until_head(await append(one, 20), timeout_s=10)
        assert await second.metric("wallet_relay_active") == 1
    await assert_all_told(event_store, listener)


async def test_a_standby_takes_over_when_the_active_relay_is_paused(
    event_store: DatabaseUrls, broker: BrokerServer, start_relay: Start
) -> None:
    """If the active relay is paused, it loses the lock, and becomes the standby after it resumes."""
    async with replica(event_store.service) as one, listening(broker.url) as listener:
        first, second = (start_relay(confirm_timeout_s="1", heartbeat_s="0.2") for _ in range(2))
        await first.until_ready()
        await second.until_ready()
        await listener.until_head(await append(one, 20))
        active, standby = (first, second) if await first.metric("wallet_relay_active") else (second, first)
        active.process.send_signal(signal.SIGSTOP)
        try:
            await listener.until_head(await append(one, 20), timeout_s=20)
        finally:
            active.process.send_signal(signal.SIGCONT)
        await listener.until_head(await append(one, 20))
        await asyncio.sleep(1)
        assert await standby.metric("wallet_relay_active") == 1
        assert await active.metric("wallet_relay_active") == 0
    await assert_all_told(event_store, listener)


async def test_an_idle_relay_keeps_its_lock(event_store: DatabaseUrls) -> None:
    """An idle relay uses its session often enough to keep the lock."""
    async with leading(event_store.service, 0.05, 2.0) as log:
        await log.start()
        for _ in range(10):
            await log.after(0, 1)
            await asyncio.sleep(0.4)
        assert await log.after(0, 1) == []


async def test_outage_of_the_broker_loses_no_event_and_needs_constant_memory(
    event_store: DatabaseUrls, broker: BrokerServer, start_relay: Start
) -> None:
    """If the broker is down during 100 000 appends, all events arrive in order afterwards, in constant memory."""
    async with replica(event_store.service) as one, listening(broker.url) as listener:
        relay = start_relay()
        await relay.until_ready()
        await listener.until_head(await append(one, 100))
        # RabbitMQ 3.10 loses a quorum queue if it is killed within half a second of the queue's declaration.
        await asyncio.sleep(2)
        broker.kill()
        await append(one, 100)
        await append_by_sql(event_store, 100_000)
        await asyncio.sleep(2)
        away = relay.rss_bytes
        assert not relay.is_ready()
        broker.start()
        head = int((await query(event_store.service, "SELECT position FROM log_head"))[0][0])
        peak = await peak_memory(relay, listener, head)
        await relay.until_ready()
    await assert_all_told(event_store, listener)
    assert peak - away < 64 * 1024 * 1024


async def test_hanging_broker_makes_the_relay_unready_but_does_not_prevent_its_exit(
    event_store: DatabaseUrls, broker: BrokerServer, start_relay: Start
) -> None:
    """If the broker does not answer, the relay is not ready, and it still stops on a signal."""
    async with replica(event_store.service) as one:
        stopped, lasting = start_relay(confirm_timeout_s="1"), start_relay(confirm_timeout_s="1")
        await stopped.until_ready()
        await until_checkpoint(event_store, await append(one, 20))
        with broker.paused():
            head = await append(one, 20)
            await until(lambda: not stopped.is_ready() or not lasting.is_ready(), 10, "one is not ready")
            stopped.process.terminate()
            assert await asyncio.to_thread(stopped.process.wait, 10) == 0
        await until_checkpoint(event_store, head)
        assert lasting.process.poll() is None


async def peak_memory(relay: RunningService, listener: Listener, head: int) -> int:
    """Returns the relay's peak memory while it catches up."""
    peak, end = 0, asyncio.get_running_loop().time() + 90
    while min(map(listener.head, range(PARTITIONS))) < head:
        peak = max(peak, relay.rss_bytes)
        heads = [listener.head(partition) for partition in range(PARTITIONS)]
        assert asyncio.get_running_loop().time() < end, (
            f"published only up to {heads}; relay at {await relay.metric('wallet_relay_position')}"
        )
        await asyncio.sleep(0.02)
    return peak


async def append_by_sql(event_store: DatabaseUrls, count: int) -> None:
    """Appends many events of one wallet with one statement."""
    await query(
        event_store.owner,
        """WITH moved AS (UPDATE log_head SET position = position + $1 RETURNING position - $1 AS head)
           INSERT INTO events
           SELECT head + n, 'bulk', n, CASE WHEN n = 1 THEN 'WalletOpened' ELSE 'BalanceCredited' END, 1, NULL,
                  convert_to(CASE WHEN n = 1 THEN '{"currency":"USD","balance_micros":0}'
                                  ELSE '{"amount_micros":1,"counterparty":"x"}' END, 'UTF8'), now()
           FROM moved, generate_series(1, $1) AS n""",
        count,
    )
