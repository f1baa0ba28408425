"""Publishes a batch to the queues of all partitions, and waits for the broker's confirmations."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, DeliveryError, PublishError
from prometheus_client import Counter, Histogram

from wallet_cqrs import broker
from wallet_cqrs.messages import (
    CONTENT_TYPE,
    EXCHANGE,
    EventBatch,
    EventMessage,
    encode,
    partition_of,
    routing_key,
)
from wallet_kernel.endpoint import LATENCY_BUCKETS_S

REFUSED = Counter(
    "wallet_relay_refused", "Messages the broker rejected because the queue was full.", ["partition"]
)
LEFT_OUT = Counter(
    "wallet_relay_left_out",
    "Messages not sent because the queue had not confirmed the previous one.",
    ["partition"],
)

BROKER = Histogram(
    "wallet_broker_seconds",
    "Time from publishing a batch until the broker has confirmed it.",
    buckets=LATENCY_BUCKETS_S,
)

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0
PATIENCE_S = 1.0
"""If another queue has confirmed by then, the relay does not wait for this queue until it confirms again."""

BROKER_ERRORS = (AMQPError, OSError, TimeoutError)


class PartitionPublisher:
    """Publishes to one partition's queue on its own channel, one message at a time, so that they stay in order.

    `prompt`: the queue confirms in time, and the relay waits for it. Messages for an unresponsive queue are skipped.
    """

    def __init__(self, connection: AbstractConnection, partition: int, confirm_timeout_s: float) -> None:
        self._connection = connection
        self._key = routing_key(partition)
        self._refused, self._left_out = REFUSED.labels(self._key), LEFT_OUT.labels(self._key)
        self._confirm_timeout_s = confirm_timeout_s
        self._channel: AbstractChannel | None = None
        self._sending: asyncio.Future[None] | None = None
        self._closing: asyncio.Future[None] | None = None
        self._given_up_at_s = 0.0
        self.prompt = True

    def offer(self, body: bytes) -> asyncio.Future[None]:
        """Sends a message, or skips it if the previous one is unconfirmed. Raises the previous message's error."""
        now_s = asyncio.get_running_loop().time()
        if self._sending is not None and not self._sending.done():
            if now_s < self._given_up_at_s:
                self._left_out.inc()
                return self._sending
            self._give_up(self._sending)
        elif self._sending is not None:
            self._sending.result()
        self._given_up_at_s = now_s + self._confirm_timeout_s
        self._sending = _start(self._send(body))
        return self._sending

    def _give_up(self, sending: asyncio.Future[None]) -> None:
        """Closes the channel of an unconfirmed message, so that the next message uses a new one."""
        sending.cancel()
        if self._channel is not None:
            self._closing = _start(self._channel.close())
        self._channel = None

    async def _send(self, body: bytes) -> None:
        message = Message(body, content_type=CONTENT_TYPE, delivery_mode=DeliveryMode.PERSISTENT)
        try:
            await (await self._exchange()).publish(message, self._key, mandatory=True)
        except PublishError:  # the queue does not exist and must be declared again
            raise
        except DeliveryError:
            self._refused.inc()
        self.prompt = True

    async def _exchange(self) -> AbstractExchange:
        if self._channel is None:
            self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        return await self._channel.get_exchange(EXCHANGE, ensure=False)


class Publisher:
    """Publishes persistent messages that must be routed and confirmed."""

    def __init__(self, connection: AbstractConnection, partitions: int, confirm_timeout_s: float) -> None:
        self._publishers = [
            PartitionPublisher(connection, partition, confirm_timeout_s) for partition in range(partitions)
        ]
        self._confirm_timeout_s = confirm_timeout_s

    async def publish(self, epoch: UUID, after: int, head: int, events: Sequence[EventMessage]) -> None:
        """Publishes a batch, and waits for the confirmations of all partitions that respond.

        A message is not sent again if its queue is full, or does not confirm while another queue does, because one
        partition must not delay the others. Its projection detects the gap and reads the event store. Raises
        TimeoutError if no queue confirms.
        """
        bodies = bodies_of(epoch, after, head, events, len(self._publishers))
        sending = {
            publisher: publisher.offer(body) for publisher, body in zip(self._publishers, bodies, strict=True)
        }
        waited_for = [publisher for publisher in self._publishers if publisher.prompt] or self._publishers
        with BROKER.time():
            await self._confirmed([sending[publisher] for publisher in waited_for])
        for publisher in waited_for:
            publisher.prompt = sending[publisher].done()

    async def _confirmed(self, sending: Sequence[asyncio.Future[None]]) -> None:
        """Waits up to `PATIENCE_S` for all confirmations, and after that only for the first."""
        done, _ = await asyncio.wait(sending, timeout=PATIENCE_S, return_when=asyncio.FIRST_EXCEPTION)
        if not done:
            done, _ = await asyncio.wait(
                sending, timeout=self._confirm_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        if not done:
            raise TimeoutError(f"no queue confirmed within {self._confirm_timeout_s} s")
        for task in done:
            task.result()


def bodies_of(
    epoch: UUID, after: int, head: int, events: Sequence[EventMessage], partitions: int
) -> list[bytes]:
    """Returns the message of each partition: its events, and the first and last position of the batch."""
    batches = [EventBatch(after, head, [], epoch) for _ in range(partitions)]
    for event in events:
        batches[partition_of(event.stream_id, partitions)].events.append(event)
    return [encode(batch) for batch in batches]


async def _declare(connection: AbstractConnection, partitions: int) -> None:
    channel = await connection.channel()
    await broker.declare(channel, partitions)
    await channel.close()


def _start(work: Awaitable[None]) -> asyncio.Future[None]:
    """Starts a task whose result may be ignored."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_forget)
    return task


async def within(timeout_s: float, work: Awaitable[None]) -> None:
    """Waits for `work`. At the timeout, cancels it and raises TimeoutError. Passes on errors of `work`.

    It does not wait for the cancellation, because a call to an unresponsive broker may not end when it is cancelled.
    """
    task = _start(work)
    try:
        done, _ = await asyncio.wait([task], timeout=timeout_s)
        if not done:
            raise TimeoutError(f"the broker did not answer within {timeout_s} s")
        task.result()
    finally:
        task.cancel()


def _forget(task: asyncio.Future[Any]) -> None:
    """Reads the task's error, because asyncio logs errors that are never read."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def connected(url: str, partitions: int, confirm_timeout_s: float) -> AsyncIterator[Publisher]:
    """Connects to the broker, and declares the exchanges and queues."""
    connection = await aio_pika.connect(
        url, timeout=CONNECT_TIMEOUT_S, client_properties={"connection_name": "wallet-relay"}
    )
    try:
        await within(CONNECT_TIMEOUT_S, _declare(connection, partitions))
        yield Publisher(connection, partitions, confirm_timeout_s)
    finally:
        with suppress(*BROKER_ERRORS):
            await within(CLOSE_TIMEOUT_S, connection.close())
