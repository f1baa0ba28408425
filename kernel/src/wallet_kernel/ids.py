"""Transaction ids: UUID version 8 (RFC 9562) that sort by time and carry the slot of the paying wallet.

48 bits  Unix time in ms
 4 bits  version (8)
10 bits  slot of the paying wallet
 2 bits  random
 2 bits  variant (0b10)
62 bits  random
"""

import os
import time
from uuid import UUID

from wallet_kernel.slots import slot_of

_VERSION = 8 << 76
_VARIANT = 2 << 62
_SLOT_SHIFT = 66
_RANDOM_64 = (3 << 64) | ((1 << 62) - 1)


def new_transaction_id(paying_account: str) -> UUID:
    """Returns a new id with the paying account's slot, so that any service can find its shard."""
    time_ms = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(9)) & _RANDOM_64
    slot = slot_of(paying_account)
    return UUID(int=(time_ms << 80) | _VERSION | (slot << _SLOT_SHIFT) | _VARIANT | random_bits)


def slot_of_transaction(transaction_id: UUID) -> int:
    """Returns the slot in a transaction id. Any UUID has one; a lookup of a foreign id finds no transfer there."""
    return (transaction_id.int >> _SLOT_SHIFT) & 1023
