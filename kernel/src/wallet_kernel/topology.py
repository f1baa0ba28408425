"""Which shard owns which slots: a part of the protocol, so every shard's database stores it too.

With another number of shards, a service looks for wallets where they are not. It would take the payee of a transfer for
unknown, refund the payer, and so make money. Therefore services and databases compare their topologies before they
exchange anything else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from wallet_kernel.slots import SLOTS, slot_of


class OtherTopology(ConnectionError):
    """Another topology was met. Nothing was read or written there.

    It is a ConnectionError because every caller must treat the shard as out of reach, and never as a refusal.
    """


@dataclass(frozen=True)
class Topology:
    """The shard that owns each slot. Shards have the numbers 0 to `shards` - 1."""

    shards: int
    owners: tuple[int, ...]

    @classmethod
    def even(cls, shards: int) -> "Topology":
        """Slots in contiguous ranges of equal length."""
        return cls(shards, tuple(slot * shards // SLOTS for slot in range(SLOTS)))

    def shard_of(self, account_id: str) -> int:
        """The shard that owns an account."""
        return self.owners[slot_of(account_id)]

    def __str__(self) -> str:
        return f"{self.shards} shards (slot table {self.fingerprint})"

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that differ where the owner of a slot differs."""
        return f"{crc32(','.join(map(str, self.owners)).encode()):08x}"


@dataclass(frozen=True)
class Placement:
    """One shard of a topology: what a database or a worker is."""

    shard: int
    topology: Topology

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.topology.shards:
            raise ValueError(f"there are shards 0 to {self.topology.shards - 1}, but no shard {self.shard}")

    @classmethod
    def even(cls, shard: int, shards: int) -> "Placement":
        """A shard of a topology whose slots are in contiguous ranges of equal length."""
        return cls(shard, Topology.even(shards))

    def owns(self, account_id: str) -> bool:
        """Whether this shard owns an account."""
        return self.topology.shard_of(account_id) == self.shard

    def foreign(self, account_ids: Iterable[str]) -> str | None:
        """The first of these accounts that another shard owns, or None."""
        return next((account_id for account_id in account_ids if not self.owns(account_id)), None)

    def __str__(self) -> str:
        return f"shard {self.shard} of {self.topology.shards} (slot table {self.topology.fingerprint})"
