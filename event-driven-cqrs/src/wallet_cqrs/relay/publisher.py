"""The way to the broker: publishes a group to every partition, and returns when the broker has it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, DeliveryError, PublishError
from prometheus_client import Counter, Histogram

from wallet_cqrs import broker
from wallet_cqrs.messages import CONTENT_TYPE, EventMessage, Group, encode, partition_of, routing_key
from wallet_kernel.endpoint import LATENCY_BUCKETS_S

REFUSED = Counter(
    "wallet_relay_refused", "Messages the broker refused because the queue was full.", ["partition"]
)

BROKER = Histogram(
    "wallet_broker_seconds",
    "From publishing a group until the broker has confirmed it.",
    buckets=LATENCY_BUCKETS_S,
)

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0
BROKER_ERRORS = (AMQPError, OSError, TimeoutError)

Result = TypeVar("Result")


class Publisher:
    """Publishes persistent messages that must be routed and confirmed."""

    def __init__(self, exchange: AbstractExchange, partitions: int, confirm_timeout_s: float) -> None:
        self._exchange = exchange
        self._partitions = partitions
        self._confirm_timeout_s = confirm_timeout_s

    async def publish(self, after: int, head: int, events: Sequence[EventMessage]) -> None:
        """Returns when the broker has every partition's message, or has refused it because the queue is full.

        A refused message is not sent again: a partition that stands still must not hold up the others, and when it
        goes on it notices the gap and reads what it missed from the event store.
        """
        bodies = bodies_of(after, head, events, self._partitions)
        with BROKER.time():
            await within(self._confirm_timeout_s, [self._send(*message) for message in enumerate(bodies)])

    async def _send(self, partition: int, body: bytes) -> None:
        message = Message(body, content_type=CONTENT_TYPE, delivery_mode=DeliveryMode.PERSISTENT)
        try:
            await self._exchange.publish(message, routing_key(partition), mandatory=True)
        except PublishError:  # nobody knows the queue: to be declared again
            raise
        except DeliveryError:
            REFUSED.labels(str(partition)).inc()


def bodies_of(after: int, head: int, events: Sequence[EventMessage], partitions: int) -> list[bytes]:
    """Each partition's message of a group: its own events, and where the group begins and ends."""
    groups = [Group(after, head, []) for _ in range(partitions)]
    for event in events:
        groups[partition_of(event.stream_id, partitions)].events.append(event)
    return [encode(group) for group in groups]


async def _exchange(connection: AbstractConnection, partitions: int) -> AbstractExchange:
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    return await broker.declare(channel, partitions)


async def within(timeout_s: float, works: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """All their results; at the first error or the timeout the rest is cancelled and not waited for.

    What hangs at a broker may not end when it is cancelled, and the relay must go on all the same.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, pending = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        if pending:
            raise TimeoutError(f"the broker did not answer within {timeout_s} s")
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
            task.add_done_callback(_forget)


def _forget(task: asyncio.Task[Any]) -> None:
    """What became of it is not news any more; asyncio would complain if nobody looked."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def connected(url: str, partitions: int, confirm_timeout_s: float) -> AsyncIterator[Publisher]:
    """A connection to the broker, with everything declared that is published to."""
    connection = await aio_pika.connect(
        url, timeout=CONNECT_TIMEOUT_S, client_properties={"connection_name": "wallet-relay"}
    )
    try:
        (exchange,) = await within(CONNECT_TIMEOUT_S, [_exchange(connection, partitions)])
        yield Publisher(exchange, partitions, confirm_timeout_s)
    finally:
        with suppress(*BROKER_ERRORS):
            await within(CLOSE_TIMEOUT_S, [connection.close()])
