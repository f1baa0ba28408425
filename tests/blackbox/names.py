"""New account names that hash to the shard that a test needs.

Both architectures assign wallets to shards by a stable hash into 1024 slots (DESIGN §3.6). ``NEAR`` names use the first
quarter of the slots, so with at most four shards they share one. ``FAR`` names use the last quarter, so with more than
one shard they never share a shard with a near name.
"""

from __future__ import annotations

import itertools
import uuid
import zlib

NEAR, FAR = range(256), range(768, 1024)
_run = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)


def new_account(slots: range = range(1024)) -> str:
    """A new account name whose slot is one of ``slots``."""
    candidates = (f"t{_run}-{number}" for number in _numbers)
    return next(name for name in candidates if _slot(name) in slots)


def _slot(name: str) -> int:
    """The contract's hash, implemented a second time, so that a test fails if a service assigns other shards."""
    return (zlib.crc32(name.encode()) * 2654435761) % 2**32 // 2**22


def new_key() -> str:
    """A new Idempotency-Key."""
    return str(uuid.uuid4())
