"""The topology: which shard owns which slots. It is part of the protocol, so every database stores it too.

A service with another number of shards looks for wallets on the wrong shards. It would not find the payee of a transfer
and would refund the payer although the payee was paid, which creates money. Therefore services and databases compare
their topologies before they exchange anything else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from wallet_kernel.slots import SLOTS, slot_of


class OtherTopology(ConnectionError):
    """A service or database has another topology. The caller read and wrote nothing there.

    It is a ConnectionError, because callers must treat the shard as unreachable and never as a refusal.
    """


@dataclass(frozen=True)
class Topology:
    """The shard that owns each slot. The shards are numbered from 0 to `shards` - 1."""

    shards: int
    owners: tuple[int, ...]

    @classmethod
    def even(cls, shards: int) -> "Topology":
        """Returns a topology that gives each shard a contiguous range of slots of equal length."""
        return cls(shards, tuple(slot * shards // SLOTS for slot in range(SLOTS)))

    def shard_of(self, account_id: str) -> int:
        """Returns the shard that owns an account."""
        return self.owners[slot_of(account_id)]

    def __str__(self) -> str:
        return f"{self.shards} shards (slot table {self.fingerprint})"

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits, a checksum (CRC-32) of the slot owners."""
        return f"{crc32(','.join(map(str, self.owners)).encode()):08x}"


@dataclass(frozen=True)
class Placement:
    """One shard of a topology: the position of a database or a worker."""

    shard: int
    topology: Topology

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.topology.shards:
            raise ValueError(
                f"shard {self.shard} does not exist: the shards are 0 to {self.topology.shards - 1}"
            )

    @classmethod
    def even(cls, shard: int, shards: int) -> "Placement":
        """Returns a shard of a topology that gives each shard a contiguous range of slots of equal length."""
        return cls(shard, Topology.even(shards))

    def owns(self, account_id: str) -> bool:
        """Returns whether this shard owns an account."""
        return self.topology.shard_of(account_id) == self.shard

    def foreign(self, account_ids: Iterable[str]) -> str | None:
        """Returns the first of these accounts that another shard owns, or None."""
        return next((account_id for account_id in account_ids if not self.owns(account_id)), None)

    def __str__(self) -> str:
        return f"shard {self.shard} of {self.topology.shards} (slot table {self.topology.fingerprint})"
