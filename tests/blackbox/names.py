"""Account names nobody used before, placed where a test wants them.

Both architectures spread wallets over shards by a stable hash into 1024 slots (DESIGN §3.6). ``NEAR`` names
share the first quarter of the slots, so they share a shard when there are at most four; ``FAR`` ones
are in the last quarter, so on more than one shard they never share one with a near name.
"""

from __future__ import annotations

import itertools
import uuid
import zlib

NEAR, FAR = range(256), range(768, 1024)
_run = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)


def new_account(slots: range = range(1024)) -> str:
    """A fresh account name whose slot is one of ``slots``."""
    candidates = (f"t{_run}-{number}" for number in _numbers)
    return next(name for name in candidates if _slot(name) in slots)


def _slot(name: str) -> int:
    """The contract's hash, written once more: a service that placed wallets elsewhere would be noticed."""
    return (zlib.crc32(name.encode()) * 2654435761) % 2**32 // 2**22


def new_key() -> str:
    """A fresh Idempotency-Key."""
    return str(uuid.uuid4())
