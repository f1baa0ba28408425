"""One partition's way from the broker to its projector: in order, batch by batch, acknowledged when it is visible."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from prometheus_client import Counter

from wallet_cqrs import broker, messages
from wallet_cqrs.messages import Group, UndecodableMessage, queue_name
from wallet_cqrs.projection.projector import Poison, Projector, UnusableMessage
from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.runtime.readiness import NotReady

CONNECT_TIMEOUT_S = 2.0
SUBSCRIBE_TIMEOUT_S = 10.0
REPLACE_TIMEOUT_S = 20.0
DEAD_BEFORE_REPLACED = 3
"""Attempts in a row on which the queue must have kept silent."""
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 1.0

HEARTBEAT_S = 5
"""A partition has one active consumer. That it is paused, or without a network, the broker notices after three of
these, and lets the next one have its messages; left to itself it would take three minutes."""

SILENCE_MAX_S = 5.0
"""The relay publishes every second. After this silence the consumer asks the broker whether messages wait for it;
a standby gets none."""

REPLACED = Counter("wallet_queues_replaced", "Queues that did not answer and were made anew.", ["partition"])
BURIED = Counter(
    "wallet_projection_buried",
    "Messages handed to the dead letters: undecodable, or contradicting the read model.",
    ["partition"],
)
FAILURES = Counter(
    "wallet_projection_failures", "Attempts at a batch that failed, by exception.", ["partition", "cause"]
)

_log = logging.getLogger(__name__)

Inbox = asyncio.Queue[AbstractIncomingMessage | None]
"""What the broker delivered; None is the end of the connection."""


class NotConsuming(Exception):
    """The partition's queue is not subscribed to: the broker is away."""


class DeadQueue(Exception):
    """The broker has the queue's name, but the queue does not answer."""


class Disconnected(Exception):
    """The broker closed the connection, or went away."""


_BROKER_ERRORS = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError, Disconnected)


class Consumer:
    """Consumes one partition for as long as it is let to; outages only delay it."""

    def __init__(self, url: str, projector: Projector, partitions: int, prefetch_max: int) -> None:
        self._url = url
        self._projector = projector
        self._partitions = partitions
        self._prefetch_max = prefetch_max
        self._subscribed = False
        self._failure: str | None = None
        self._backoff_s = BACKOFF_FIRST_S
        self._label = str(projector.partition)
        self._replaced, self._buried = (counter.labels(self._label) for counter in (REPLACED, BURIED))

    async def check(self) -> None:
        """Raises unless this consumer is subscribed, its last attempt succeeded and its partition goes on."""
        if not self._subscribed:
            raise NotConsuming(NotConsuming.__doc__)
        if self._failure is not None:
            raise NotReady(self._failure)
        await self._projector.check()

    async def run(self) -> None:
        """Consumes until cancelled."""
        dead = 0
        while True:
            try:
                await self._subscription()
                dead = 0
                continue  # renews a quiet subscription; until that fails, this consumer stays ready
            except DeadQueue:
                dead += 1
                if dead >= DEAD_BEFORE_REPLACED:
                    await self._replace_queue()
            except _BROKER_ERRORS as error:
                _log.warning("broker away", extra={"partition": self._label, "cause": repr(error)})
            except Exception:  # noqa: BLE001 - a bug must neither end the consumer nor look like an outage
                _log.exception("consumer failed", extra={"partition": self._label})
            self._subscribed = False
            await asyncio.sleep(random.uniform(0, self._backoff_s))
            self._backoff_s = min(2 * self._backoff_s, BACKOFF_MAX_S)

    async def _subscription(self) -> None:
        """Consumes until messages wait for this consumer that do not arrive."""
        inbox = Inbox()
        connection = await aio_pika.connect(self._url, timeout=CONNECT_TIMEOUT_S, heartbeat=HEARTBEAT_S)
        async with connection:
            # A broker that has just come back may take a request and never answer it.
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                channel = await self._subscribe(connection, inbox)
            self._subscribed = True
            await self._consume(channel, inbox)

    async def _subscribe(self, connection: AbstractConnection, inbox: Inbox) -> AbstractChannel:
        channel = await connection.channel()
        for end in (connection.close_callbacks, channel.close_callbacks):
            end.add(lambda *_: inbox.put_nowait(None))
        await channel.set_qos(prefetch_count=self._prefetch_max)
        await broker.declare(channel, self._partitions)
        queue = await channel.get_queue(queue_name(self._projector.partition))
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S / 2):
                await queue.consume(inbox.put)
        except (AMQPError, OSError, TimeoutError) as error:  # silence, or an internal error of the broker
            raise DeadQueue(DeadQueue.__doc__) from error
        return channel

    async def _replace_queue(self) -> None:
        """Deletes the queue, which will be declared again. What was in it is read from the event store.

        RabbitMQ 3.10 forgets where a quorum queue is when it is killed within a second of its first declaration; the
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
                batch = await _gathered(inbox)
            except TimeoutError:
                if await self._messages_wait(channel):
                    return
                continue
            await self._handle(batch)
            self._backoff_s = BACKOFF_FIRST_S

    async def _messages_wait(self, channel: AbstractChannel) -> bool:
        """Whether the queue holds undelivered messages. Raises what aio_pika raises if the queue does not answer."""
        async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S / 2):
            queue = await channel.declare_queue(queue_name(self._projector.partition), passive=True)
        return bool(queue.declaration_result.message_count)

    async def _handle(self, batch: list[AbstractIncomingMessage]) -> None:
        """Projects a batch and acknowledges it; messages that cannot be decoded are buried first."""
        groups: list[Group] = []
        decoded: list[AbstractIncomingMessage] = []
        for message in batch:
            try:
                groups.append(messages.decode(message.body))
            except UndecodableMessage as error:
                await self._bury(message, f"undecodable message: {error}")
            else:
                decoded.append(message)
        if decoded:
            await self._project(groups, decoded)

    async def _project(self, groups: list[Group], batch: list[AbstractIncomingMessage]) -> None:
        """Projects groups and acknowledges their messages; takes a batch with an unusable message apart."""
        try:
            await self._until_done(partial(self._projector.project, groups))
            await batch[-1].ack(multiple=True)
        except UnusableMessage as unusable:
            if len(batch) == 1:
                await self._bury(batch[0], str(unusable))
            else:
                for group, message in zip(groups, batch, strict=True):
                    await self._project([group], [message])

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        """Tries a step until it succeeds, or stops the partition for poison. Raises UnusableMessage."""
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                await step()
            except UnusableMessage:
                self._failure = None
                raise
            except Poison as poison:
                step = partial(self._projector.stop, str(poison))
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, it is named, counted and tried again
                self._fail(error)
            else:
                self._failure = None
                return
            await asyncio.sleep(random.uniform(0, backoff_s))
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)

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
        """Hands a message to the dead letters; if it held events, the next message shows the gap."""
        _log.error("message buried", extra={"partition": self._label, "cause": reason})
        await message.reject(requeue=False)
        self._buried.inc()


async def _gathered(inbox: Inbox) -> list[AbstractIncomingMessage]:
    """The next message, and what else has arrived; the prefetch bounds how much that can be.

    Raises TimeoutError when the broker is silent, Disconnected when it is gone.
    """
    message = await asyncio.wait_for(inbox.get(), SILENCE_MAX_S)
    batch: list[AbstractIncomingMessage] = []
    while message is not None:
        batch.append(message)
        if inbox.empty():
            return batch
        message = inbox.get_nowait()
    if not batch:
        raise Disconnected(Disconnected.__doc__)
    inbox.put_nowait(None)
    return batch
