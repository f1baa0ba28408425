"""Compares the balances in Redis with the true balances."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from wallet_lab.audit.questions import check
from wallet_lab.report.model import Check

Standing = tuple[int, int]
"""Version and micros of a wallet."""
Truth = Callable[[Sequence[str]], Awaitable[Mapping[str, Standing]]]
"""Returns the true version and balance of these wallets."""

NAME = "the cache shows what is true"
_PAGE = 5000
_SECOND_LOOK_AFTER_S = 0.5
_FOR_EVER = -1
_KEYS = ("wallet:*", "balance:*")
_ENTRY = re.compile(rb'(\d+) .*"balance":(\d+)(?:\.(\d+))?[,}]', re.DOTALL)


async def check_cache(redis_url: str, truth: Truth, *, old_for_s: float = 0.0) -> Check:
    """Check that every balance in Redis has the true version and amount. Run it without load.

    Args:
        redis_url: the cache.
        truth: returns the true version and balance of wallets.
        old_for_s: an older entry passes if it expires within this time, because such a cache promises only a hint.
    """
    async with Redis.from_url(redis_url) as redis:
        keys = sorted({key for kind in _KEYS async for key in redis.scan_iter(match=kind, count=_PAGE)})
        wrong = await _wrong(redis, keys, truth)
        if wrong:
            # The service writes the cache just after the commit, and that commit may be the last act before the audit.
            await asyncio.sleep(_SECOND_LOOK_AFTER_S)
            wrong = await _wrong(redis, [one.key for one in wrong], truth)
        lasting = [one for one in wrong if not (one.is_older and await _runs_out(redis, one, old_for_s))]
    return check(NAME, [one.sentence for one in lasting])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A wallet as Redis shows it, and its true version and balance."""

    key: bytes
    shown: Standing | None
    true: Standing | None

    @property
    def is_older(self) -> bool:
        """Whether the entry shows an earlier version of the wallet."""
        return self.shown is not None and self.true is not None and self.shown[0] < self.true[0]

    @property
    def sentence(self) -> str:
        """A sentence that describes the difference."""
        return f"Redis shows {_account(self.key)} as {self.shown} (version, micros); the true values are {self.true}"


async def _runs_out(redis: Redis, entry: _Entry, within_s: float) -> bool:
    left_ms: int = await redis.pttl(entry.key)
    return left_ms != _FOR_EVER and left_ms <= within_s * 1000


async def _wrong(redis: Redis, keys: Sequence[bytes], truth: Truth) -> list[_Entry]:
    found = []
    for page in _pages(keys):
        shown = await redis.mget(page)
        true = await truth([_account(key) for key in page])
        for key, text in zip(page, shown, strict=True):
            # None means that the entry expired between SCAN and MGET.
            if isinstance(text, bytes):
                entry = _Entry(key, _shown(text), true.get(_account(key)))
                if entry.shown != entry.true:
                    found.append(entry)
    return found


def _pages(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for begin in range(0, len(keys), _PAGE):
        yield keys[begin : begin + _PAGE]


def _account(key: bytes) -> str:
    return key.decode().partition(":")[2]


def _shown(entry: bytes) -> Standing | None:
    """Return the version and balance of an entry; None if it has another format."""
    parts = _ENTRY.match(entry)
    if parts is None:
        return None
    version, whole, fraction = parts.groups()
    return int(version), int(whole + (fraction or b"").ljust(6, b"0"))
