"""Where an account lives: a stable hash over a fixed number of slots.

Slots, not accounts, are assigned to shards, so that a slot can move to another shard later.
"""

from zlib import crc32

SLOTS = 1024


def slot_of(account_id: str) -> int:
    """The slot (0 … 1023) of an account: CRC-32 of its name, modulo the number of slots."""
    return crc32(account_id.encode()) % SLOTS
