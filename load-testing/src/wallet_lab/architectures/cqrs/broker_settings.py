"""Reads from the broker whether its queues survive a crash, as rows of the relation `durability`."""

from aio_pika import connect
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelClosed

DEAD_LETTERS = "wallet-events-dead"
_MESSAGES_MAX = 1000
_COMMON: dict[str, str | int | bool] = {"x-queue-type": "quorum", "x-max-length": _MESSAGES_MAX}
_EVENTS: dict[str, str | int | bool] = {
    **_COMMON,
    "x-single-active-consumer": True,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": DEAD_LETTERS,
}
"""The arguments of the queues (docs/cqrs-protocol.md)."""

Row = tuple[str, str, str, str, str]


async def broker_settings(url: str, shards: int) -> list[Row]:
    """Return type and durability of every queue.

    AMQP has no question for them. But a declaration succeeds only if the existing queue has the same type, durability
    and arguments. A passive declaration first checks that the queue exists, so that the second one creates none.
    """
    queues = {DEAD_LETTERS: _COMMON, **{f"wallet-events-{number}": _EVENTS for number in range(shards)}}
    connection = await connect(url)
    async with connection:
        found = {name: await _is_quorum(connection, name, arguments) for name, arguments in queues.items()}
    return [
        ("broker", "rabbitmq", name, setting, right if is_right else wrong)
        for name, is_right in found.items()
        for setting, right, wrong in (
            ("queue type", "quorum", "missing, or not a quorum queue"),
            ("queue durable", "true", "false"),
        )
    ]


async def _is_quorum(
    connection: AbstractConnection, name: str, arguments: dict[str, str | int | bool]
) -> bool:
    channel = await connection.channel()
    try:
        await channel.declare_queue(name, passive=True)
        await channel.declare_queue(name, durable=True, arguments=dict(arguments))
    except ChannelClosed:  # the broker closes the channel after a refusal
        return False
    await channel.close()
    return True
