"""Declares the exchange, one queue for each partition, and the dead-letter queue at the broker.

Relay and projection both declare all of them, so they can start in any order.
"""

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange
from aiormq.abc import FieldTable

from wallet_cqrs.messages import DEAD_LETTER_EXCHANGE, EXCHANGE, queue_name, routing_key

QUEUE_MESSAGES_MAX = 1000
"""The maximum queue length. The broker rejects further messages; the projection reads them from the event store."""

_QUEUE: FieldTable = {
    "x-queue-type": "quorum",
    # Only one consumer at a time is active, because a partition's messages must stay in order.
    "x-single-active-consumer": True,
    "x-max-length": QUEUE_MESSAGES_MAX,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
}


async def declare(channel: AbstractChannel, partitions: int) -> AbstractExchange:
    """Declares exchanges and queues, and returns the exchange to publish to. Repeating it changes nothing."""
    dead_letters = await channel.declare_exchange(DEAD_LETTER_EXCHANGE, ExchangeType.FANOUT, durable=True)
    dead_queue = await channel.declare_queue(
        DEAD_LETTER_EXCHANGE,
        durable=True,
        arguments={"x-queue-type": "quorum", "x-max-length": QUEUE_MESSAGES_MAX},
    )
    await dead_queue.bind(dead_letters)
    exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.DIRECT, durable=True)
    for partition in range(partitions):
        queue = await channel.declare_queue(queue_name(partition), durable=True, arguments=_QUEUE)
        await queue.bind(exchange, routing_key(partition))
    return exchange
