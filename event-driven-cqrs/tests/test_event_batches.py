"""Late, repeated, unordered or lost batches: each event counts once and in order."""

from uuid import uuid4

from cqrs_support.histories import batches, random_log
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wallet_cqrs.messages import EventBatch
from wallet_cqrs.projection.event_batches import ContiguousEvents, Gap, OtherLog, follow, unconfirmed
from wallet_cqrs.read_model import Checkpoint

EVENTS = random_log(60, 5).events
BATCHES = batches(EVENTS, 0)
MINE = [event for batch in BATCHES for event in batch.events]
HEAD = EVENTS[-1].position


def test_consecutive_batches_give_all_events() -> None:
    """Consecutive batches give all events of the log."""
    assert follow(Checkpoint(0), BATCHES) == ContiguousEvents(HEAD, MINE)


def test_events_up_to_the_checkpoint_are_skipped() -> None:
    """Events that the checkpoint covers are skipped."""
    assert follow(Checkpoint(HEAD), BATCHES) == ContiguousEvents(HEAD, [])


def test_batch_that_overlaps_the_checkpoint_gives_its_later_events() -> None:
    """If a batch overlaps the checkpoint, only the events after the checkpoint count."""
    whole = EventBatch(0, HEAD, MINE)
    middle = MINE[len(MINE) // 2].position
    assert follow(Checkpoint(middle), [whole]) == ContiguousEvents(
        HEAD, [event for event in MINE if event.position > middle]
    )


def test_a_missing_batch_is_a_gap() -> None:
    """If a batch is missing, the result is a gap to read from the event store."""
    assert follow(Checkpoint(BATCHES[0].head), BATCHES[2:3]) == Gap(BATCHES[0].head, BATCHES[2].after)


def test_heartbeat_shows_a_gap() -> None:
    """If the last message is lost, the next heartbeat reveals the gap."""
    assert follow(Checkpoint(HEAD - 1), [EventBatch(HEAD, HEAD, [])]) == Gap(HEAD - 1, HEAD)


def test_batch_of_another_epoch_is_not_applied() -> None:
    """A batch of another epoch is not applied, because its positions mean other events."""
    before, now = uuid4(), uuid4()
    checkpoint = Checkpoint(0, before)
    assert follow(checkpoint, [EventBatch(0, HEAD, MINE, now)]) == OtherLog()
    assert follow(checkpoint, [EventBatch(0, HEAD, MINE, before)]) == ContiguousEvents(HEAD, MINE)


def test_heartbeat_below_the_checkpoint_is_not_applied() -> None:
    """A heartbeat below the checkpoint is not applied, because the log may have lost events."""
    assert follow(Checkpoint(HEAD), [EventBatch(HEAD - 1, HEAD - 1, [])]) == OtherLog()


@given(st.lists(st.sampled_from(BATCHES), max_size=30), st.data())
def test_any_delivery_applies_a_prefix_of_the_log(delivered: list[EventBatch], data: st.DataObject) -> None:
    """With duplicates, losses, any order and any batch size, the applied events are a prefix of the log."""
    position, applied = 0, []
    while delivered:
        size = data.draw(st.integers(1, len(delivered)))
        batch, delivered = delivered[:size], delivered[size:]
        while isinstance(following := follow(Checkpoint(position), batch), Gap):
            assert following.after == position < following.until
            applied += [event for event in MINE if following.after < event.position <= following.until]
            position = following.until
        assert isinstance(following, ContiguousEvents)
        position, applied = following.head, applied + following.events
    assert applied == [event for event in MINE if event.position <= position]


def test_head_of_a_batch_without_new_events_must_be_known() -> None:
    """A head is confirmed by a new event in its batch, or by a known position of the same epoch; others are not."""
    known, new = Checkpoint(HEAD, uuid4()), replace(MINE[-1], position=HEAD + 1)
    beyond = EventBatch(HEAD, HEAD + 2, [], known.epoch)
    old_event = EventBatch(HEAD - 1, HEAD + 2, MINE[-1:], known.epoch)
    assert (
        unconfirmed([EventBatch(0, HEAD, MINE, known.epoch), EventBatch(HEAD, HEAD, [], known.epoch)], known)
        is None
    )
    assert unconfirmed([EventBatch(HEAD, HEAD, [], None)], known) is not None
    assert unconfirmed([EventBatch(0, HEAD, MINE, known.epoch), beyond], known) == beyond
    assert unconfirmed([old_event], known) == old_event
    assert unconfirmed([beyond, EventBatch(HEAD, HEAD + 3, [new], known.epoch)], known) is None
