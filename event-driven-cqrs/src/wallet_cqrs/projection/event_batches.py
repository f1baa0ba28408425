"""Decides what to do with groups that are late, repeated, out of order or missing. Pure, no I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

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


class OtherLog(Struct, frozen=True):
    """A group has another epoch, or a log head before the checkpoint. The event store must be checked."""


def follow(checkpoint: Checkpoint, groups: Sequence[Group]) -> Stretch | Gap | OtherLog:
    """Returns the events that follow a checkpoint, without those that it covers; or the gap; or OtherLog."""
    if not all(continues(checkpoint, group) for group in groups):
        return OtherLog()
    head, events = checkpoint.position, list[EventMessage]()
    for group in groups:
        if group.after > head:
            return Gap(checkpoint.position, max(group.after for group in groups))
        events += [event for event in group.events if event.position > head]
        head = max(head, group.head)
    return Stretch(head, events)


def unconfirmed(groups: Sequence[Group], known: Checkpoint) -> Group | None:
    """Returns a group whose head may lie beyond the log, or None. `known` is a position that the log has reached.

    A group with an event after `known` is not checked, because that event must follow from the read model. So the
    projection needs no read of the event store while it gets new events.
    """
    new_head = max((group.head for group in groups if _has_new_event(group, known)), default=0)
    for group in groups:
        if group.head > new_head and (group.epoch != known.epoch or group.head > known.position):
            return group
    return None


def _has_new_event(group: Group, known: Checkpoint) -> bool:
    return bool(group.events) and group.events[-1].position > known.position


def continues(checkpoint: Checkpoint, group: Group) -> bool:
    """Returns whether the group has the checkpoint's epoch, and no log head before the checkpoint."""
    ends_before = group.is_heartbeat and group.head < checkpoint.position
    return group.epoch == checkpoint.epoch and not ends_before
