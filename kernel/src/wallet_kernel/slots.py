"""The placement of accounts: a stable hash of the account name over a fixed number of slots.

Shards own slots, not accounts, so that a slot can move to another shard later.
"""

from zlib import crc32

SLOTS = 1024
_GOLDEN_RATIO = 2654435761  # 2^32 divided by the golden ratio, made odd
_SLOT_BITS = 10


def slot_of(account_id: str) -> int:
    """Returns the slot (0 … 1023) of an account: the top ten bits of its name's CRC-32 times 2654435761, modulo 2^32.

    CRC-32 alone is linear: names that differ only in their last bits, such as user1 and user2, would get neighbouring
    slots and so share one shard. Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4) scatters them.
    """
    return (crc32(account_id.encode()) * _GOLDEN_RATIO & 0xFFFFFFFF) >> (32 - _SLOT_BITS)
