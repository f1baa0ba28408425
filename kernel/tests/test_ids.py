"""Transaction ids: version 8 UUIDs that sort by time and contain the payer's slot."""

import time
from itertools import pairwise
from uuid import RFC_4122, UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_kernel.ids import new_transaction_id, slot_of_transaction
from wallet_kernel.slots import SLOTS, slot_of


@given(st.text(min_size=1, max_size=64))
def test_id_carries_the_slot_of_the_payer(account: str) -> None:
    """The id contains the payer's slot, also after a conversion to text and back."""
    assert slot_of_transaction(UUID(str(new_transaction_id(account)))) == slot_of(account)


def test_id_is_a_version_8_uuid() -> None:
    """The version and variant bits follow RFC 9562, so that any UUID column and parser accepts the id."""
    for number in range(200):
        issued = new_transaction_id(f"user{number}")
        assert (issued.version, issued.variant) == (8, RFC_4122)


def test_ids_of_one_millisecond_differ() -> None:
    """A burst of ids within one millisecond has no duplicates."""
    assert len({new_transaction_id("user1") for _ in range(20_000)}) == 20_000


def test_ids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id of a later millisecond is greater for every payer, so that inserts append to the index."""
    issued = []
    for time_ms in range(1_760_000_000_000, 1_760_000_000_200):
        monkeypatch.setattr(time, "time_ns", lambda now=time_ms: now * 1_000_000)
        issued.append(new_transaction_id(f"user{time_ms}"))
    assert all(earlier < later and str(earlier) < str(later) for earlier, later in pairwise(issued))
    assert issued[0].int >> 80 == 1_760_000_000_000


def test_only_the_random_bits_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inputs determine time, version, slot and variant; each of the 64 other bits takes both values."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_760_000_000_000_000_000)
    issued = [new_transaction_id("user1").int for _ in range(500)]
    ones, zeros = 0, 0
    for value in issued:
        ones |= value
        zeros |= ~value & ((1 << 128) - 1)
    assert (ones & zeros).bit_count() == 64


@given(st.uuids())
def test_foreign_uuid_has_a_valid_slot(foreign: UUID) -> None:
    """A UUID from another system has a valid slot."""
    assert 0 <= slot_of_transaction(foreign) < SLOTS


def test_every_slot_survives_the_round_trip() -> None:
    """All 1024 slots fit the ten bits, the highest too."""
    seen = {slot_of(f"user{n}"): new_transaction_id(f"user{n}") for n in range(20_000)}
    assert len(seen) == SLOTS
    assert all(slot_of_transaction(issued) == slot for slot, issued in seen.items())
    assert slot_of_transaction(uuid4()) < SLOTS
