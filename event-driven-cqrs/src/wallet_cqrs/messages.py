"""The MessagePack messages from the relay to the projections, and the names of exchanges and queues.

The relay publishes the log in batches. For every batch, each partition gets one message, even without events, so that
every partition learns the head of the log. With `after` and `head`, a projection detects repeated and lost messages.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from msgspec import DecodeError, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder

from wallet_kernel.slots import SLOTS, slot_of

EXCHANGE = "wallet-events"
"""The name of the direct exchange. The routing key is the partition number."""

DEAD_LETTER_EXCHANGE = "wallet-events-dead"
"""The name of the fanout exchange for dead letters, and of its only queue."""

CONTENT_TYPE = "application/msgpack"

BODY_BYTES_MAX = 16 * 1024 * 1024
"""A batch of 1000 events has less than 1 MiB. A projection reads the events of a larger batch from the event store."""


class EventMessage(Struct, frozen=True, array_like=True, gc=False):
    """An event with its envelope. `events.decode(type, schema_version, data)` decodes the event."""

    position: int
    stream_id: str
    version: int
    type: str
    schema_version: int
    transaction_id: UUID | None
    data: bytes
    at: datetime


class EventBatch(Struct, frozen=True, array_like=True):
    """All events of one partition with `after` < position <= `head`, in order.

    A heartbeat has `after` == `head` and no events. `epoch` is the log's epoch when the relay read the batch; it is
    None in messages of relays without epochs.
    """

    after: int
    head: int
    events: list[EventMessage]
    epoch: UUID | None = None

    @property
    def is_heartbeat(self) -> bool:
        """Whether the batch has no events and only contains the head of the log."""
        return self.after == self.head


class UndecodableMessage(Exception):
    """The message is not a valid batch of events."""


encode = Encoder().encode
_DECODER = Decoder(EventBatch)


def decode(body: bytes) -> EventBatch:
    """Decodes the batch in a message. Raises UndecodableMessage if that fails or the body is too large."""
    if len(body) > BODY_BYTES_MAX:
        raise UndecodableMessage(f"the body has {len(body)} bytes, at most {BODY_BYTES_MAX} are allowed")
    try:
        batch = _DECODER.decode(body)
    except (DecodeError, ValidationError, RecursionError) as error:
        raise UndecodableMessage(str(error)) from error
    if not _in_order(batch):
        raise UndecodableMessage(f"positions out of order in a batch from {batch.after} to {batch.head}")
    return batch


def _in_order(batch: EventBatch) -> bool:
    positions = [batch.after, *(event.position for event in batch.events)]
    return positions[-1] <= batch.head and all(a < b for a, b in pairwise(positions))


def partition_of(stream_id: str, partitions: int) -> int:
    """Returns the partition of a wallet's stream. It equals the number of its read shard."""
    return slot_of(stream_id) * partitions // SLOTS


def age_s(events: Sequence[EventMessage], now_s: float) -> float:
    """Returns the age of the middle event of a batch at a Unix time, in seconds: half of the events are older.

    It is 0 if the clock of the event store is ahead.
    """
    return max(now_s - events[len(events) // 2].at.timestamp(), 0.0)


def routing_key(partition: int) -> str:
    """Returns the routing key of a partition's messages."""
    return str(partition)


def queue_name(partition: int) -> str:
    """Returns the name of a partition's queue."""
    return f"wallet-events-{partition}"
