"""One partition's way from the broker to its projector: in order, batch by batch, acknowledged when it is visible."""

import asyncio
import logging
import random

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError
from prometheus_client import Counter

from wallet_cqrs import broker, messages
from wallet_cqrs.messages import Group, UndecodableMessage, queue_name
from wallet_cqrs.projection.projector import Poison, Projector
from wallet_kernel.database import DATABASE_ERRORS

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
"""The relay says something every second; after this, the subscription may be gone without a word: it is renewed."""

REPLACED = Counter("wallet_queues_replaced", "Queues that did not answer and were made anew.", ["partition"])

_log = logging.getLogger(__name__)

Inbox = asyncio.Queue[AbstractIncomingMessage | None]
"""What the broker delivered; None is the end of the connection."""


class NotConsuming(Exception):
    """The partition's queue is not subscribed to: the broker is away."""


class DeadQueue(Exception):
    """The broker has the queue's name, but the queue does not answer."""


class Disconnected(Exception):
    """The broker closed the connection, or went away."""


class Consumer:
    """Consumes one partition for as long as it is let to; outages only delay it."""

    def __init__(self, url: str, projector: Projector, partitions: int, prefetch_max: int) -> None:
        self._url = url
        self._projector = projector
        self._partitions = partitions
        self._prefetch_max = prefetch_max
        self._subscribed = False
        self._replaced = REPLACED.labels(str(projector.partition))

    async def check(self) -> None:
        """Raises unless this consumer is subscribed and its partition goes on."""
        if not self._subscribed:
            raise NotConsuming(NotConsuming.__doc__)
        await self._projector.check()

    async def run(self) -> None:
        """Consumes until cancelled."""
        backoff_s, dead = BACKOFF_FIRST_S, 0
        while True:
            try:
                if await self._subscription():
                    backoff_s, dead = BACKOFF_FIRST_S, 0
                    continue
            except DeadQueue:
                dead += 1
                if dead >= DEAD_BEFORE_REPLACED:
                    await self._replace_queue()
            except Exception as error:  # noqa: BLE001 - it must survive every outage
                _log.warning(
                    "broker away", extra={"partition": self._projector.partition, "cause": repr(error)}
                )
            finally:
                self._subscribed = False
            await asyncio.sleep(random.uniform(0, backoff_s))
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)

    async def _subscription(self) -> bool:
        """Consumes until the broker goes away or falls silent; returns whether anything came."""
        inbox = Inbox()
        connection = await aio_pika.connect(self._url, timeout=CONNECT_TIMEOUT_S, heartbeat=HEARTBEAT_S)
        async with connection:
            # A broker that has just come back may take a request and never answer it.
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                await self._subscribe(connection, inbox)
            self._subscribed = True
            return await self._consume(inbox)

    async def _subscribe(self, connection: AbstractConnection, inbox: Inbox) -> None:
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

    async def _consume(self, inbox: Inbox) -> bool:
        heard = False
        try:
            while True:
                await self._handle(await _gathered(inbox))
                heard = True
        except TimeoutError:
            return heard

    async def _handle(self, batch: list[AbstractIncomingMessage]) -> None:
        """Projects a batch and acknowledges it; one with poison in it is taken apart first."""
        groups: list[Group] = []
        for number, message in enumerate(batch):
            try:
                groups.append(messages.decode(message.body))
            except UndecodableMessage as error:
                await self._handle_groups(groups, batch[:number])
                await self._bury(message, f"undecodable message: {error}")
                await self._handle_rest(batch[number + 1 :])
                return
        await self._handle_groups(groups, batch)

    async def _handle_rest(self, batch: list[AbstractIncomingMessage]) -> None:
        if batch:
            await self._handle(batch)

    async def _handle_groups(self, groups: list[Group], batch: list[AbstractIncomingMessage]) -> None:
        if not groups:
            return
        try:
            await self._until_the_database_is_there(groups)
            await batch[-1].ack(multiple=True)
        except Poison as poison:
            if len(batch) == 1:
                await self._bury(batch[0], str(poison))
            else:
                for group, message in zip(groups, batch, strict=True):
                    await self._handle_groups([group], [message])

    async def _until_the_database_is_there(self, groups: list[Group]) -> None:
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                return await self._projector.project(groups)
            except DATABASE_ERRORS as error:
                _log.warning(
                    "database away", extra={"partition": self._projector.partition, "cause": repr(error)}
                )
            await asyncio.sleep(random.uniform(0, backoff_s))
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)

    async def _bury(self, message: AbstractIncomingMessage, reason: str) -> None:
        """Stops the partition, then hands the message to the dead letters: in this order nothing is skipped."""
        await self._projector.stop(reason)
        await message.reject(requeue=False)


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
