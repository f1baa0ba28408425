"""Slots: the mapping of accounts never changes and is even."""

from collections import Counter
from itertools import pairwise
from random import Random
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_kernel.slots import SLOTS, slot_of

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}", fullmatch=True)


@pytest.mark.parametrize(
    ("account", "slot"),
    [
        ("user1", 670),
        ("user2", 1),
        ("user1000", 741),
        ("alice", 87),
        ("a", 1001),
        ("A.b_c:d@e-f", 19),
        ("@external", 85),
    ],
)
def test_slots_never_change(account: str, slot: int) -> None:
    """Stored wallets and issued transaction ids depend on these slots."""
    assert slot_of(account) == slot


@given(NAMES)
def test_slot_is_in_range_and_stable(account: str) -> None:
    """Every account has one slot of 0 … 1023, the same at each call."""
    assert 0 <= slot_of(account) < SLOTS
    assert slot_of(account) == slot_of(account)


def numbered(count: int) -> list[str]:
    """Returns user1 … userN, the wallet names of the load tests."""
    return [f"user{n}" for n in range(1, count + 1)]


@pytest.mark.parametrize("shards", [2, 4, 8])
@pytest.mark.parametrize("prefix", ["user", "wallet-", "acct:2026:"])
def test_shards_share_numbered_accounts_evenly(shards: int, prefix: str) -> None:
    """The shares of a thousand numbered accounts differ from even by at most a tenth."""
    load = Counter(slot_of(f"{prefix}{n}") * shards // SLOTS for n in range(1, 1001))
    assert len(load) == shards
    assert max(load.values()) <= 1.1 * 1000 / shards + 10


@pytest.mark.parametrize("prefix", ["user", "wallet-", "acct:2026:"])
def test_half_of_neighbouring_accounts_are_on_different_shards(prefix: str) -> None:
    """With two shards, about half of all neighbouring numbered accounts are on different shards."""
    sides = [slot_of(f"{prefix}{n}") * 2 // SLOTS for n in range(1, 1002)]
    parted = sum(left != right for left, right in pairwise(sides))
    assert 400 < parted < 600


def test_every_slot_is_used_evenly() -> None:
    """Many accounts use all slots evenly, so that each slot is an equal part of the load."""
    load = Counter(slot_of(account) for account in numbered(100 * SLOTS))
    assert len(load) == SLOTS
    assert max(load.values()) < 2 * 100
    assert min(load.values()) > 100 / 2


@given(st.integers(), st.integers(2, 64))
def test_random_names_are_evenly_distributed(seed: int, length: int) -> None:
    """Random names of any length are evenly distributed over two shards."""
    random = Random(seed)
    names = {"".join(random.choices(ascii_letters + digits + "._:@-", k=length)) for _ in range(1000)}
    upper = sum(slot_of(name) >= SLOTS // 2 for name in names)
    assert abs(upper - len(names) / 2) < 5 * len(names) ** 0.5 / 2 + 1
