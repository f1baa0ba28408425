"""Consumes one partition's messages in order and in batches; acknowledges a batch when its changes are visible.

While Redis gets the balances of a batch, the next batch is applied.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from prometheus_client import Counter

from wallet_cqrs import broker, messages
from wallet_cqrs.messages import EventBatch, UndecodableMessage, queue_name
from wallet_cqrs.projection.projector import Poison, Projector, UnusableMessage
from wallet_kernel.backoff import Backoff
from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.runtime.readiness import NotReady

CONNECT_TIMEOUT_S = 2.0
SUBSCRIBE_TIMEOUT_S = 10.0
REPLACE_TIMEOUT_S = 20.0
DEAD_BEFORE_REPLACED = 3
"""After this many consecutive attempts without an answer from the queue, the consumer replaces it."""
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 1.0

HEARTBEAT_S = 5
"""The interval of AMQP heartbeats. If the active consumer is paused or disconnected, the broker detects it after three
intervals and activates a standby. With the broker's default, that takes three minutes."""

SILENCE_MAX_S = 5.0
"""The relay publishes every second. After this time without messages, the consumer asks the broker whether messages
are queued. A standby receives no messages."""

REPLACED = Counter("wallet_queues_replaced", "Queues that did not answer and were replaced.", ["partition"])
BURIED = Counter(
    "wallet_projection_buried",
    "Messages sent to the dead letters: undecodable, or contradicting the read model.",
    ["partition"],
)
FAILURES = Counter(
    "wallet_projection_failures",
    "Failed attempts to project a batch, by exception.",
    ["partition", "cause"],
)

_log = logging.getLogger(__name__)

Inbox = asyncio.Queue[AbstractIncomingMessage | None]
"""Messages that the broker delivered. None means that the connection ended."""


class NotConsuming(Exception):
    """This consumer is not subscribed to the partition's queue, because the broker is unavailable."""


class DeadQueue(Exception):
    """The queue exists at the broker, but does not answer."""


class Disconnected(Exception):
    """The broker closed the connection, or became unavailable."""


_BROKER_ERRORS = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError, Disconnected)


class Consumer:
    """Consumes one partition until cancelled. Outages only delay it."""

    def __init__(self, url: str, projector: Projector, partitions: int, prefetch_max: int) -> None:
        self._url = url
        self._projector = projector
        self._partitions = partitions
        self._prefetch_max = prefetch_max
        self._subscribed = False
        self._failure: str | None = None
        self._applied: tuple[AbstractIncomingMessage, asyncio.Future[None] | None] | None = None
        self._backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S)
        self._label = str(projector.partition)
        self._replaced, self._buried = (counter.labels(self._label) for counter in (REPLACED, BURIED))

    async def check(self) -> None:
        """Raises unless this consumer is subscribed, its last attempt succeeded and its partition is not stopped.

        Raises PartitionStopped, which only degrades the service, if an operator must rebuild or resume the partition.
        """
        if not self._subscribed:
            raise NotConsuming(NotConsuming.__doc__)
        if self._failure is not None:
            raise NotReady(self._failure)
        await self._projector.check()

    async def run(self) -> None:
        """Consumes until cancelled."""
        await self._compare()
        dead = 0
        while True:
            try:
                await self._subscription()
                dead = 0
                continue  # renews a subscription that received nothing; the consumer stays ready until that fails
            except DeadQueue:
                dead += 1
                if dead >= DEAD_BEFORE_REPLACED:
                    await self._replace_queue()
            except _BROKER_ERRORS as error:
                _log.warning("broker away", extra={"partition": self._label, "cause": repr(error)})
            except Exception:  # noqa: BLE001 - a bug must neither end the consumer nor look like an outage
                _log.exception("consumer failed", extra={"partition": self._label})
            self._subscribed = False
            await self._backoff.pause()

    async def _compare(self) -> None:
        """Compares the model with the log before the consumer is ready, so that its readiness names a diverged model.

        Tries once, because the first message of another epoch repeats the comparison.
        """
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                await self._projector.compare()
        except Poison:
            pass  # the projector stopped the partition and logged the reason
        except Exception as error:  # noqa: BLE001 - no failure may end the consumer
            _log.warning("log not compared", extra={"partition": self._label, "cause": repr(error)})

    async def _subscription(self) -> None:
        """Consumes until the queue has messages that do not arrive at this consumer."""
        inbox = Inbox()
        connection = await aio_pika.connect(self._url, timeout=CONNECT_TIMEOUT_S, heartbeat=HEARTBEAT_S)
        async with connection:
            # A broker that has just restarted may accept a request and never answer it.
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                channel = await self._subscribe(connection, inbox)
            self._subscribed = True
            await self._consume(channel, inbox)

    async def _subscribe(self, connection: AbstractConnection, inbox: Inbox) -> AbstractChannel:
        self._applied = None  # the broker delivers unacknowledged messages of the former channel again
        channel = await connection.channel()
        for end in (connection.close_callbacks, channel.close_callbacks):
            end.add(lambda *_: inbox.put_nowait(None))
        await channel.set_qos(prefetch_count=self._prefetch_max)
        await broker.declare(channel, self._partitions)
        queue = await channel.get_queue(queue_name(self._projector.partition))
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S / 2):
                await queue.consume(inbox.put)
        except (AMQPError, OSError, TimeoutError) as error:  # no answer, or an internal error of the broker
            raise DeadQueue(DeadQueue.__doc__) from error
        return channel

    async def _replace_queue(self) -> None:
        """Deletes the queue, so that the next attempt declares it again. The event store has the lost messages' events.

        If RabbitMQ 3.10 is killed within a second of a quorum queue's declaration, it loses the queue's location. The
        queue then never answers again.
        """
        name = queue_name(self._projector.partition)
        _log.error("replacing a queue that does not answer", extra={"queue": name})
        self._replaced.inc()
        try:
            async with asyncio.timeout(REPLACE_TIMEOUT_S):
                connection = await aio_pika.connect(self._url, timeout=CONNECT_TIMEOUT_S)
                async with connection:
                    await (await connection.channel()).queue_delete(name)
        except (AMQPError, OSError, TimeoutError) as error:
            _log.warning("queue not replaced", extra={"queue": name, "cause": repr(error)})

    async def _consume(self, channel: AbstractChannel, inbox: Inbox) -> None:
        while True:
            try:
                deliveries = await _gathered(inbox)
            except TimeoutError:
                if await self._messages_wait(channel):
                    return
                continue
            await self._handle(deliveries)
            if inbox.empty():
                await self._acknowledge()
            self._backoff.reset()

    async def _messages_wait(self, channel: AbstractChannel) -> bool:
        """Returns whether the queue has undelivered messages. Passes on aio_pika's error if it does not answer."""
        async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S / 2):
            queue = await channel.declare_queue(queue_name(self._projector.partition), passive=True)
        return bool(queue.declaration_result.message_count)

    async def _handle(self, deliveries: list[AbstractIncomingMessage]) -> None:
        """Sends undecodable messages to the dead letters, then projects and acknowledges the rest."""
        batches: list[EventBatch] = []
        decoded: list[AbstractIncomingMessage] = []
        for message in deliveries:
            try:
                batches.append(messages.decode(message.body))
            except UndecodableMessage as error:
                await self._bury(message, f"undecodable message: {error}")
            else:
                decoded.append(message)
        if decoded:
            await self._project(batches, decoded)

    async def _project(self, batches: list[EventBatch], deliveries: list[AbstractIncomingMessage]) -> None:
        """Projects batches, and acknowledges earlier ones. If one is unusable, projects each message separately."""
        try:
            await self._until_done(partial(self._projector.project, batches))
            await self._acknowledge()
            self._applied = deliveries[-1], self._projector.showing
        except UnusableMessage as unusable:
            if len(deliveries) == 1:
                await self._bury(deliveries[0], str(unusable))
            else:
                for batch, message in zip(batches, deliveries, strict=True):
                    await self._project([batch], [message])

    async def _acknowledge(self) -> None:
        """Acknowledges the messages that were applied last, after their balances were written to Redis."""
        if self._applied is not None:
            (message, showing), self._applied = self._applied, None
            if showing is not None:
                await showing
            await message.ack(multiple=True)

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        """Retries a step until it succeeds. A poison event stops the partition. Raises UnusableMessage."""
        backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S)
        while True:
            try:
                await step()
            except UnusableMessage:
                self._failure = None
                raise
            except Poison as poison:
                step = partial(self._projector.stop, str(poison))
                continue
            except Exception as error:  # noqa: BLE001 - any other error is logged, counted and retried
                self._fail(error)
            else:
                self._failure = None
                return
            await backoff.pause()

    def _fail(self, error: Exception) -> None:
        FAILURES.labels(self._label, type(error).__name__).inc()
        bug = error if not isinstance(error, DATABASE_ERRORS) and self._failure != repr(error) else None
        self._failure = repr(error)
        _log.warning(
            "projection failed; trying again",
            extra={"partition": self._label, "cause": repr(error)},
            exc_info=bug,
        )

    async def _bury(self, message: AbstractIncomingMessage, reason: str) -> None:
        """Rejects a message to the dead letters. If it had events, the next message reveals the gap."""
        _log.error("message buried", extra={"partition": self._label, "cause": reason})
        await message.reject(requeue=False)
        self._buried.inc()


async def _gathered(inbox: Inbox) -> list[AbstractIncomingMessage]:
    """Returns the next message and all others that have arrived, at most as many as the prefetch allows.

    Raises TimeoutError if no message arrives within `SILENCE_MAX_S`, Disconnected if the connection ended.
    """
    async with asyncio.timeout(SILENCE_MAX_S):
        message = await inbox.get()
    deliveries: list[AbstractIncomingMessage] = []
    while message is not None:
        deliveries.append(message)
        if inbox.empty():
            return deliveries
        message = inbox.get_nowait()
    if not deliveries:
        raise Disconnected(Disconnected.__doc__)
    inbox.put_nowait(None)
    return deliveries
