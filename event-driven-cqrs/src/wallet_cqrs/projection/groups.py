"""What to do with groups that come late, twice, out of order or not at all: pure, no I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from wallet_cqrs.messages import EventMessage, Group


class Stretch(NamedTuple):
    """The events that follow the checkpoint without a gap, and the position they lead to."""

    head: int
    events: list[EventMessage]


class Gap(NamedTuple):
    """Events with `after` < position <= `until` never arrived; they must come from the event store first."""

    after: int
    until: int


def follow(position: int, groups: Sequence[Group]) -> Stretch | Gap:
    """What follows a checkpoint. What it already covers is skipped, event by event."""
    head, events = position, list[EventMessage]()
    for group in groups:
        if group.after > head:
            return Gap(position, max(group.after for group in groups))
        events += [event for event in group.events if event.position > head]
        head = max(head, group.head)
    return Stretch(head, events)
