"""Cached balances in Redis, shared by workers and orchestrators: keys, entries, and the versioned write.

An entry holds a wallet's version, which orders competing writes, and the document for clients.
"""

from collections.abc import Sequence
from typing import NamedTuple

from redis.asyncio import Redis

from wallet_kernel.contract.responses import WalletView, wallet_body
from wallet_saga.domain.commands import WalletState

# KEYS: the entries. ARGV: their expiry (Unix ms), their longest lifetime (ms), then version and value of each entry.
# The script compares versions, so that a late write of an older value never replaces a newer one. It rejects the write
# of a worker whose clock is ahead, because the entries would outlive their leases.
_WRITE = """
local now = redis.call('TIME')
if ARGV[1] - (now[1] * 1000 + now[2] / 1000) > tonumber(ARGV[2]) then
  return redis.error_reply('CLOCK the clock of the worker is ahead of the clock of Redis')
end
for i, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  local version = tonumber(ARGV[2 * i + 1])
  if not held or tonumber(string.match(held, '^%d+')) <= version then
    redis.call('SET', key, ARGV[2 * i + 2], 'PXAT', ARGV[1])
  end
end
"""


class Entry(NamedTuple):
    """A value for a key in Redis, and the version of its wallet."""

    key: str
    version: int
    value: bytes


PROBE = Entry("probe:worker", 1, b"1 {}")
"""An entry that workers write to find out whether Redis accepts writes. No wallet has this key."""


def wallet_view(wallet: WalletState) -> WalletView:
    """Returns a wallet as clients see it."""
    return WalletView(
        account_id=wallet.account_id,
        currency=wallet.currency,
        balance_micros=wallet.balance_micros,
        version=wallet.version,
        status=wallet.status,
        updated_at=wallet.updated_at,
    )


def cache_key(account_id: str) -> str:
    """Returns the Redis key of a wallet."""
    return f"wallet:{account_id}"


def entry_of(wallet: WalletState) -> Entry:
    """Returns a wallet's entry."""
    body = wallet_body(wallet_view(wallet))
    return Entry(cache_key(wallet.account_id), wallet.version, b"%d %s" % (wallet.version, body))


def cached_body(value: bytes) -> bytes:
    """Returns the wallet document in the value of an entry."""
    return value.partition(b" ")[2]


class CacheWriter:
    """Writes entries to Redis. Passes on the errors of the Redis client."""

    def __init__(self, redis: "Redis", lifetime_max_s: float) -> None:
        self._write = redis.register_script(_WRITE)
        self._lifetime_max_ms = int(lifetime_max_s * 1000)

    async def write(self, entries: Sequence[Entry], expires_s: float) -> None:
        """Writes entries that expire at a Unix time. Keeps entries that have a newer version."""
        arguments: list[bytes | int] = [int(expires_s * 1000), self._lifetime_max_ms]
        for _, version, value in entries:
            arguments += (version, value)
        await self._write(keys=[entry.key for entry in entries], args=arguments)
