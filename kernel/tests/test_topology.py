"""The topology: every slot has one owner, and different topologies never compare as equal."""

import pytest

from wallet_kernel.slots import SLOTS, slot_of
from wallet_kernel.topology import Placement, Topology


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 1024])
def test_even_topology_gives_every_shard_its_share_of_slots(shards: int) -> None:
    """Every slot has an owner, and the shards' numbers of slots differ by at most one."""
    owners = Topology.even(shards).owners
    shares = [owners.count(shard) for shard in range(shards)]
    assert sum(shares) == len(owners) == SLOTS
    assert max(shares) - min(shares) <= 1


def test_an_account_belongs_to_the_owner_of_its_slot() -> None:
    """Exactly one placement of a topology owns an account."""
    topology = Topology.even(3)
    for account in ("user1", "user2", "Ω", "@external"):
        owners = [shard for shard in range(3) if Placement(shard, topology).owns(account)]
        assert owners == [topology.owners[slot_of(account)]]


def test_fingerprints_differ_where_one_slot_has_another_owner() -> None:
    """Fingerprints of different slot tables differ, even with the same number of shards."""
    even = Topology.even(2)
    moved = Topology(2, (1, *even.owners[1:]))
    assert even.fingerprint == Topology.even(2).fingerprint
    assert len({even.fingerprint, moved.fingerprint, Topology.even(3).fingerprint}) == 3


def test_foreign_returns_the_first_account_of_another_shard() -> None:
    """`foreign` returns the first account of another shard, or None if this shard owns all of them."""
    own, other = (next(n for n in map(str, range(99)) if Topology.even(2).shard_of(n) == s) for s in (0, 1))
    assert Placement.even(0, 2).foreign([own, own]) is None
    assert Placement.even(0, 2).foreign([own, other]) == other


@pytest.mark.parametrize("shard", [-1, 2])
def test_placement_of_a_missing_shard_is_refused(shard: int) -> None:
    """A shard that does not exist is refused, and the error names the valid numbers."""
    with pytest.raises(ValueError, match=f"shard {shard} does not exist: the shards are 0 to 1"):
        Placement.even(shard, 2)
