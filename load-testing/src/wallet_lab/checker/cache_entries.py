"""Reads the balances in Redis as rows of the relation `wallets`, and the settings of Redis as rows of `durability`."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec import DecodeError, Struct
from msgspec.json import Decoder
from redis.asyncio import Redis

from wallet_lab.checker.bodies import micros, microseconds
from wallet_lab.checker.extraction import now_us

_PAGE = 5000
_NO_SUCH_VERSION = -1
"""The version of an entry that cannot be read. No wallet has it, so the entry is a violation."""

Row = tuple[object, ...]


class Entry(NamedTuple):
    """An entry of the cache: the fields before the document, and the document for clients."""

    version: int
    position: int | None
    epoch: str | None
    body: bytes


class _Wallet(Struct, rename="camel"):
    account_id: str
    currency: str
    balance: Decimal
    version: int
    status: str
    last_updated: str


_wallets = Decoder(_Wallet)


async def read_cache(url: str, prefix: str, parse: Callable[[bytes], Entry]) -> list[Row]:
    """Return a row of `wallets` for every entry whose key begins with `prefix`; `parse` raises ValueError."""
    rows: list[Row] = []
    async with Redis.from_url(url) as redis:
        keys = [key async for key in redis.scan_iter(match=f"{prefix}*", count=_PAGE)]
        for page in _pages(sorted(set(keys))):
            texts = await redis.mget(page)
            async with redis.pipeline(transaction=False) as pipeline:
                for key in page:
                    pipeline.pttl(key)
                lives = await pipeline.execute()
            for key, text, left_ms in zip(page, texts, lives, strict=True):
                if isinstance(text, bytes):  # it has not expired meanwhile
                    expires_us = None if left_ms == -1 else now_us() + max(0, left_ms) * 1000
                    rows.append(_row(key.decode().removeprefix(prefix), text, parse, expires_us))
    return rows


async def cache_settings(url: str, patterns: Sequence[str]) -> list[Row]:
    """Return rows of `durability`: the persistence settings of Redis, and the number of keys that match no pattern."""
    async with Redis.from_url(url) as redis:
        settings = {name: (await redis.config_get(name))[name] for name in ("save", "appendonly")}
        known = [key for pattern in patterns async for key in redis.scan_iter(match=pattern, count=_PAGE)]
        others = await redis.dbsize() - len(set(known))
    return [
        ("cache", "redis", "server", name, value)
        for name, value in (settings | {"other keys": str(max(0, others))}).items()
    ]


def _row(account: str, text: bytes, parse: Callable[[bytes], Entry], expires_us: int | None) -> Row:
    try:
        entry = parse(text)
        wallet = _wallets.decode(entry.body)
        balance, updated_us = micros(wallet.balance), microseconds(wallet.last_updated)
    except (ValueError, DecodeError, ArithmeticError):
        return ("cache", None, account, "", "", 0, None, _NO_SUCH_VERSION, 0, None, None, expires_us)
    agrees = (wallet.account_id, wallet.version) == (account, entry.version)
    version = entry.version if agrees else _NO_SUCH_VERSION
    return (
        "cache", None, account, wallet.currency, wallet.status, balance, None, version, updated_us,
        entry.position, entry.epoch, expires_us,
    )  # fmt: skip


def _pages(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for begin in range(0, len(keys), _PAGE):
        yield keys[begin : begin + _PAGE]
