"""Balances in Redis, as projection and query both know them: keys, entries, announcements, and the versioned write.

An entry is a hint that expires after some seconds. It says which position it reflects, so a reader that needs a later
one looks elsewhere. Versions decide between writers: a late write of an older value never replaces a newer one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from redis.asyncio import Redis

from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.read_model import wallet_view
from wallet_kernel.contract.answers import wallet_body

# KEYS: entries. ARGV: how long they live (ms), whether to announce them (1) or not (0), then version and entry of each.
# The entry's first word is its version. What was announced once is announced again when it is written again.
_WRITE = """
for i, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if not held or tonumber(string.match(held, '^%d+')) <= tonumber(ARGV[2 * i + 1]) then
    redis.call('SET', key, ARGV[2 * i + 2], 'PX', ARGV[1])
    if ARGV[2] == '1' then redis.call('PUBLISH', 'changed:' .. key, ARGV[2 * i + 2]) end
  end
end
"""


class Entry(NamedTuple):
    """A wallet's entry: the answer's body, and the version and position it reflects."""

    version: int
    position: int
    body: bytes


def cache_key(account_id: str) -> str:
    """The key of a wallet's entry."""
    return f"wallet:{account_id}"


def channel(account_id: str) -> str:
    """The Pub/Sub channel on which a wallet's changed entries are announced."""
    return f"changed:wallet:{account_id}"


def entry_of(wallet: Wallet, position: int) -> Entry:
    """A wallet's entry, with the document that answers for it as it was at a position."""
    body = b'%s,"position":%d}' % (wallet_body(wallet_view(wallet))[:-1], position)
    return Entry(wallet.version, position, body)


def parse_entry(raw: bytes) -> Entry:
    """An entry as it lies in Redis."""
    version, position, body = raw.split(b" ", 2)
    return Entry(int(version), int(position), body)


class CacheWriter:
    """Writes entries; raises what the client raises."""

    def __init__(self, redis: "Redis", ttl_s: float, *, announce: bool) -> None:
        self._write = redis.register_script(_WRITE)
        self._start = [int(ttl_s * 1000), int(announce)]

    async def write(self, wallets: Iterable[Wallet], position: int) -> None:
        """Writes the entries of wallets as they were at a position, unless a newer version is there."""
        keys: list[str] = []
        arguments: list[int | bytes] = [*self._start]
        for wallet in wallets:
            entry = entry_of(wallet, position)
            keys.append(cache_key(wallet.account_id))
            arguments += (entry.version, b"%d %d %s" % entry)
        if keys:
            await self._write(keys=keys, args=arguments)
