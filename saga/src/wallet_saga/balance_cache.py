"""Cached balances in Redis, shared by workers and orchestrators: keys, entries, and the versioned write.

An entry holds a wallet's version, which orders competing writes, and the document for clients.
"""

from collections.abc import Sequence
from typing import NamedTuple

from redis.asyncio import Redis

from wallet_kernel.contract.responses import WalletView, wallet_body
from wallet_saga.domain.commands import WalletState

# KEYS: the entries. ARGV: their longest lifetime (ms), then expiry (Unix ms), version and value of each entry.
# The script compares versions, so that a late write of an older value never replaces a newer one. It rejects the write
# of a worker whose clock is ahead, because the entries would outlive their leases.
_WRITE = """
local time = redis.call('TIME')
local latest = time[1] * 1000 + time[2] / 1000 + ARGV[1]
for i, key in ipairs(KEYS) do
  local expiry, version, value = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  if tonumber(expiry) > latest then
    return redis.error_reply('CLOCK the clock of the worker is ahead of the clock of Redis')
  end
  local held = redis.call('GET', key)
  if not held or tonumber(string.match(held, '^%d+')) <= tonumber(version) then
    redis.call('SET', key, value, 'PXAT', expiry)
  end
end
"""


class Entry(NamedTuple):
    """A value for a key in Redis, the version of its wallet, and the Unix time at which the entry expires."""

    key: str
    version: int
    value: bytes
    expires_s: float


def probe(expires_s: float) -> Entry:
    """Returns an entry that workers write to find out whether Redis accepts writes. No wallet has its key."""
    return Entry("probe:worker", 1, b"1 {}", expires_s)


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


def entry_of(wallet: WalletState, expires_s: float) -> Entry:
    """Returns a wallet's entry."""
    body = wallet_body(wallet_view(wallet))
    return Entry(cache_key(wallet.account_id), wallet.version, b"%d %s" % (wallet.version, body), expires_s)


def cached_body(value: bytes) -> bytes:
    """Returns the wallet document in the value of an entry."""
    return value.partition(b" ")[2]


class CacheWriter:
    """Writes entries to Redis. Passes on the errors of the Redis client."""

    def __init__(self, redis: "Redis", lifetime_max_s: float) -> None:
        self._write = redis.register_script(_WRITE)
        self._lifetime_max_ms = int(lifetime_max_s * 1000)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Writes entries. Keeps entries that have a newer version."""
        arguments: list[bytes | int] = [self._lifetime_max_ms]
        for _, version, value, expires_s in entries:
            arguments += (int(expires_s * 1000), version, value)
        await self._write(keys=[entry.key for entry in entries], args=arguments)
