"""What Redis shows, against the balances that are true."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from redis.asyncio import Redis

from wallet_lab.audit.questions import check
from wallet_lab.report.model import Check

Standing = tuple[int, int]
"""Version and micros of a wallet."""
Truth = Callable[[Sequence[str]], Awaitable[Mapping[str, Standing]]]
"""Tells how these wallets stand."""

NAME = "the cache shows what is true"
_PAGE = 5000
_SECOND_LOOK_AFTER_S = 0.5
_ENTRY = re.compile(rb'(\d+) .*"balance":(\d+)(?:\.(\d+))?[,}]', re.DOTALL)


async def check_cache(redis_url: str, truth: Truth) -> Check:
    """A balance in Redis is the true one: neither older, now that no load is on, nor newer, nor another."""
    async with Redis.from_url(redis_url) as redis:
        keys = sorted({key async for key in redis.scan_iter(match="wallet:*", count=_PAGE)})
        wrong = await _wrong(redis, keys, truth)
        if wrong:
            # It is written just after the commit, which may have been the last thing before the audit.
            await asyncio.sleep(_SECOND_LOOK_AFTER_S)
            wrong = await _wrong(redis, list(wrong), truth)
    return check(NAME, list(wrong.values()))


async def _wrong(redis: Redis, keys: Sequence[bytes], truth: Truth) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for page in _pages(keys):
        entries = await redis.mget(page)
        known = await truth([_account(key) for key in page])
        for key, entry in zip(page, entries, strict=True):
            # None: it ran out between the two questions.
            if isinstance(entry, bytes) and _shown(entry) != known.get(_account(key)):
                true = known.get(_account(key))
                found[key] = (
                    f"Redis shows {_account(key)} as {_shown(entry)} (version, micros); true is {true}"
                )
    return found


def _pages(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for begin in range(0, len(keys), _PAGE):
        yield keys[begin : begin + _PAGE]


def _account(key: bytes) -> str:
    return key.decode().removeprefix("wallet:")


def _shown(entry: bytes) -> Standing | None:
    """Version and balance of an entry; None if it is no such entry."""
    parts = _ENTRY.match(entry)
    if parts is None:
        return None
    version, whole, fraction = parts.groups()
    return int(version), int(whole + (fraction or b"").ljust(6, b"0"))
