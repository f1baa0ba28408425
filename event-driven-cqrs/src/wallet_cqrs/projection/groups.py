"""Decides what to do with groups that are late, repeated, out of order or missing. Pure, no I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from wallet_cqrs.messages import EventMessage, Group
from wallet_cqrs.read_model import Checkpoint


class Stretch(NamedTuple):
    """The events that follow the checkpoint without a gap, and the position after them."""

    head: int
    events: list[EventMessage]


class Gap(NamedTuple):
    """Events with `after` < position <= `until` did not arrive. They must be read from the event store first."""

    after: int
    until: int


class OtherLog(NamedTuple):
    """A group has another epoch, or a log head before the checkpoint. The event store must be checked."""

    checkpoint: Checkpoint


def follow(checkpoint: Checkpoint, groups: Sequence[Group]) -> Stretch | Gap | OtherLog:
    """Returns the events that follow a checkpoint, without those that it covers; or the gap; or OtherLog."""
    if not all(continues(checkpoint, group) for group in groups):
        return OtherLog(checkpoint)
    head, events = checkpoint.position, list[EventMessage]()
    for group in groups:
        if group.after > head:
            return Gap(checkpoint.position, max(group.after for group in groups))
        events += [event for event in group.events if event.position > head]
        head = max(head, group.head)
    return Stretch(head, events)


def continues(checkpoint: Checkpoint, group: Group) -> bool:
    """Returns whether the group has the checkpoint's epoch, and no log head before the checkpoint."""
    ends_before = group.is_heartbeat and group.head < checkpoint.position
    return group.epoch == checkpoint.epoch and not ends_before
