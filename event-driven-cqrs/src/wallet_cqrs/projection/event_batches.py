"""Decides what to do with batches that are late, repeated, out of order or missing. Pure, no I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from wallet_cqrs.messages import EventBatch, EventMessage
from wallet_cqrs.read_model import Checkpoint


class ContiguousEvents(NamedTuple):
    """The events that follow the checkpoint without a gap, and the position after them."""

    head: int
    events: list[EventMessage]


class Gap(NamedTuple):
    """Events with `after` < position <= `until` did not arrive. They must be read from the event store first."""

    after: int
    until: int


class OtherLog(Struct, frozen=True):
    """A batch has another epoch, or a log head before the checkpoint. The event store must be checked."""


def follow(checkpoint: Checkpoint, batches: Sequence[EventBatch]) -> ContiguousEvents | Gap | OtherLog:
    """Returns the events that follow a checkpoint, without those that it covers; or the gap; or OtherLog."""
    if not all(continues(checkpoint, batch) for batch in batches):
        return OtherLog()
    head, events = checkpoint.position, list[EventMessage]()
    for batch in batches:
        if batch.after > head:
            return Gap(checkpoint.position, max(batch.after for batch in batches))
        events += [event for event in batch.events if event.position > head]
        head = max(head, batch.head)
    return ContiguousEvents(head, events)


def advances(checkpoint: Checkpoint, batches: Sequence[EventBatch]) -> bool:
    """Returns whether the batches follow a checkpoint without a gap, and end after it."""
    following = follow(checkpoint, batches)
    return isinstance(following, ContiguousEvents) and following.head > checkpoint.position


def duplicates(checkpoint: Checkpoint, batches: Sequence[EventBatch]) -> int:
    """Returns the number of batches with events that the checkpoint covers."""
    return sum(batch.head <= checkpoint.position for batch in batches if batch.events)


def unconfirmed(batches: Sequence[EventBatch], known: Checkpoint) -> EventBatch | None:
    """Returns a batch whose head may lie beyond the log, or None. `known` is a position that the log has reached.

    A batch with an event after `known` is not checked, because that event must follow from the read model. So the
    projection needs no read of the event store while it gets new events.
    """
    new_head = max((batch.head for batch in batches if _has_new_event(batch, known)), default=0)
    for batch in batches:
        if batch.head > new_head and (batch.epoch != known.epoch or batch.head > known.position):
            return batch
    return None


def _has_new_event(batch: EventBatch, known: Checkpoint) -> bool:
    return bool(batch.events) and batch.events[-1].position > known.position


def continues(checkpoint: Checkpoint, batch: EventBatch) -> bool:
    """Returns whether the batch has the checkpoint's epoch, and no log head before the checkpoint."""
    ends_before = batch.is_heartbeat and batch.head < checkpoint.position
    return batch.epoch == checkpoint.epoch and not ends_before
