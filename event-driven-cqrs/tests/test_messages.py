from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_cqrs.messages import (
    BODY_BYTES_MAX,
    EventBatch,
    EventMessage,
    UndecodableMessage,
    age_s,
    decode,
    encode,
    partition_of,
)


def test_a_batch_decodes_to_what_was_encoded() -> None:
    """An encoded batch decodes to the same ids, bytes and times in microseconds."""
    at = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
    event = EventMessage(7, "alice", 1, "WalletOpened", 1, uuid4(), b'{"currency":"USD"}', at)
    frozen = EventMessage(9, "alice", 2, "WalletFrozen", 1, None, b"{}", at)
    batch = EventBatch(6, 9, [event, frozen])
    assert decode(encode(batch)) == batch


def test_age_is_that_of_the_middle_event() -> None:
    """The age of a batch is that of its middle event, and 0 if the event store's clock is ahead."""
    events = [
        EventMessage(n, "alice", n, "WalletFrozen", 1, None, b"{}", datetime.fromtimestamp(n, UTC))
        for n in (1, 5, 6)
    ]
    assert age_s(events, 7.5) == 2.5
    assert age_s(events, 4.0) == 0


NESTED = b"\x91" * 200_000 + b"\xc0"
"""Arrays in arrays, too deep for the decoder."""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x93\x01\x02\xc0",
        b"\x93\x01\x02\x91\x90",
        NESTED,
        b"\x95\x01\x02\x90\xc0" + NESTED,  # as a member that a later version might add
        encode(EventBatch(1, 2, [])) + bytes(BODY_BYTES_MAX),
    ],
    ids=lambda body: f"{len(body)} bytes",
)
def test_message_that_is_not_a_batch_is_undecodable(body: bytes) -> None:
    """A message that is not a batch raises UndecodableMessage."""
    with pytest.raises(UndecodableMessage):
        decode(body)


@pytest.mark.parametrize(
    ("after", "head", "positions"), [(5, 4, []), (5, 8, [5]), (5, 8, [7, 6]), (5, 8, [7, 7]), (5, 8, [9])]
)
def test_a_batch_is_undecodable_if_its_positions_are_out_of_order(
    after: int, head: int, positions: list[int]
) -> None:
    """A batch is undecodable unless its events are in order and between its two positions."""
    at = datetime(2026, 1, 31, tzinfo=UTC)
    events = [EventMessage(n, "alice", 1, "WalletFrozen", 1, None, b"{}", at) for n in positions]
    with pytest.raises(UndecodableMessage):
        decode(encode(EventBatch(after, head, events)))


@given(st.text("abcdefgh0123456789", min_size=1), st.integers(1, 16))
def test_every_stream_has_one_partition(stream_id: str, partitions: int) -> None:
    """Every stream has exactly one of the existing partitions."""
    assert 0 <= partition_of(stream_id, partitions) < partitions
