"""The broker's side of the messages: the exchange, a queue for each partition, and the dead letters.

Relay and projection both declare all of it, so it does not matter who comes first.
"""

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange
from aiormq.abc import FieldTable

from wallet_cqrs.messages import DEAD_LETTER_EXCHANGE, EXCHANGE, queue_name, routing_key

QUEUE_MESSAGES_MAX = 1000
"""Above this the broker refuses, and the relay goes on: what is not queued is still in the event store."""

_QUEUE: FieldTable = {
    "x-queue-type": "quorum",
    # Order within a partition needs one consumer at a time; the others stand by.
    "x-single-active-consumer": True,
    "x-max-length": QUEUE_MESSAGES_MAX,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
}


async def declare(channel: AbstractChannel, partitions: int) -> AbstractExchange:
    """Declares everything, and returns the exchange to publish to. Declaring again changes nothing."""
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
