"""What to do with groups that come late, twice, out of order or not at all: pure, no I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from wallet_cqrs.messages import EventMessage, Group
from wallet_cqrs.read_model import Checkpoint


class Stretch(NamedTuple):
    """The events that follow the checkpoint without a gap, and the position they lead to."""

    head: int
    events: list[EventMessage]


class Gap(NamedTuple):
    """Events with `after` < position <= `until` never arrived; they must come from the event store first."""

    after: int
    until: int


class OtherLog(NamedTuple):
    """A group is of another epoch, or says that the log ends before the checkpoint: the event store must be asked."""

    checkpoint: Checkpoint


def follow(checkpoint: Checkpoint, groups: Sequence[Group]) -> Stretch | Gap | OtherLog:
    """What follows a checkpoint. What it already covers is skipped, event by event."""
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
    """Whether the group is of the log that the checkpoint is of, as far as the group can say."""
    ends_before = group.is_heartbeat and group.head < checkpoint.position
    return group.epoch == checkpoint.epoch and not ends_before
