"""What the relay tells the projections, as MessagePack, and the names both use at the broker.

The relay publishes the log in groups. Of every group each partition gets one message, also if it has no events for
it: so all partitions learn how far the log is. Messages may come twice or not at all; `after` and `head` tell.
"""

from datetime import datetime
from itertools import pairwise
from uuid import UUID

from msgspec import DecodeError, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder

from wallet_kernel.slots import SLOTS, slot_of

EXCHANGE = "wallet-events"
"""Direct; the routing key is the partition's number."""

DEAD_LETTER_EXCHANGE = "wallet-events-dead"
"""Fanout, to the one queue of the same name."""

CONTENT_TYPE = "application/msgpack"


class EventMessage(Struct, frozen=True, array_like=True, gc=False):
    """An event with its envelope, encoded as it is stored: `events.decode(type, schema_version, data)` reads it."""

    position: int
    stream_id: str
    version: int
    type: str
    schema_version: int
    transaction_id: UUID | None
    data: bytes
    at: datetime


class Group(Struct, frozen=True, array_like=True):
    """One partition's events with `after` < position <= `head`, in order: all there are of that partition.

    A heartbeat has `after` == `head` and no events. `epoch` is the log's epoch that the group was read in; relays of
    before there were epochs name none.
    """

    after: int
    head: int
    events: list[EventMessage]
    epoch: UUID | None = None

    @property
    def is_heartbeat(self) -> bool:
        """Whether the group only says where the log ends."""
        return self.after == self.head


class UndecodableMessage(Exception):
    """The message is no group of events."""


encode = Encoder().encode
_DECODER = Decoder(Group)


def decode(body: bytes) -> Group:
    """The group in a message. Raises UndecodableMessage."""
    try:
        group = _DECODER.decode(body)
    except (DecodeError, ValidationError) as error:
        raise UndecodableMessage(str(error)) from error
    if not _in_order(group):
        raise UndecodableMessage(f"positions out of order in a group from {group.after} to {group.head}")
    return group


def _in_order(group: Group) -> bool:
    positions = [group.after, *(event.position for event in group.events)]
    return positions[-1] <= group.head and all(a < b for a, b in pairwise(positions))


def partition_of(stream_id: str, partitions: int) -> int:
    """The partition, which is the read shard, of a wallet's stream."""
    return slot_of(stream_id) * partitions // SLOTS


def routing_key(partition: int) -> str:
    """The routing key of a partition's messages."""
    return str(partition)


def queue_name(partition: int) -> str:
    """The queue of a partition's messages."""
    return f"wallet-events-{partition}"
