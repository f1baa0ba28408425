"""Cached balances in Redis, shared by projection and query: keys, entries, announcements, and the versioned write.

An entry is a hint that expires after some seconds. It contains the position and the epoch of the log that it reflects,
so a reader that needs a later position can read from Postgres. Within one epoch, a late write of an older version never
replaces a newer entry.
"""

import logging
import time
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from redis.asyncio import Redis

from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.read_model import Checkpoint, wallet_view
from wallet_kernel.contract.responses import wallet_body

_log = logging.getLogger(__name__)

# KEYS: entries. ARGV: their time to live (ms), whether to announce them (1) or not (0), then version and entry of each.
# The first words of an entry are its version and epoch. Writing the same version again announces it again.
_WRITE = """
for i, key in ipairs(KEYS) do
  local entry, held = ARGV[2 * i + 2], redis.call('GET', key)
  local version, epoch = string.match(held or '', '^(%d+) (%S+)')
  if not version or epoch ~= string.match(entry, '^%d+ (%S+)') or tonumber(version) <= tonumber(ARGV[2 * i + 1]) then
    redis.call('SET', key, entry, 'PX', ARGV[1])
    if ARGV[2] == '1' then redis.call('PUBLISH', 'changed:' .. key, entry) end
  end
end
"""


class Entry(NamedTuple):
    """A cached balance: the response body, and the version, log epoch and position that it reflects."""

    version: int
    epoch: bytes
    position: int
    body: bytes

    def replaces(self, shown: "Entry") -> bool:
        """Whether this entry is newer than the one shown. In another epoch, whether the wallet differs at all."""
        if self.epoch != shown.epoch:
            return self.wallet != shown.wallet
        return self.version > shown.version

    @property
    def wallet(self) -> bytes:
        """The response body without the position."""
        return self.body.rpartition(b',"position":')[0]


class Reading(NamedTuple):
    """A wallet as of a checkpoint. `began_s` is a monotonic time (s) before both were read."""

    wallet: Wallet
    checkpoint: Checkpoint
    began_s: float


def cache_key(account_id: str) -> str:
    """Returns the Redis key of a wallet's entry."""
    return f"balance:{account_id}"


def channel(account_id: str) -> str:
    """Returns the Pub/Sub channel that announces a wallet's changed entries."""
    return f"changed:balance:{account_id}"


def epoch_word(epoch: UUID | None) -> bytes:
    """Returns an epoch in the format of an entry."""
    return b"-" if epoch is None else epoch.hex.encode()


def entry_of(wallet: Wallet, checkpoint: Checkpoint) -> Entry:
    """Builds a wallet's entry with its response body, as of a checkpoint."""
    body = b'%s,"position":%d}' % (wallet_body(wallet_view(wallet))[:-1], checkpoint.position)
    return Entry(wallet.version, epoch_word(checkpoint.epoch), checkpoint.position, body)


def parse_entry(raw: bytes) -> Entry:
    """Parses an entry that was read from Redis. Raises ValueError if it is not an entry."""
    version, epoch, position, body = raw.split(b" ", 3)
    return Entry(int(version), epoch, int(position), body)


def found_entry(raw: object) -> Entry | None:
    """Returns the entry in a value from Redis, or None if there is none."""
    if not isinstance(raw, bytes):
        return None
    try:
        return parse_entry(raw)
    except ValueError:
        _log.warning("the value in Redis is not an entry", extra={"value": repr(raw[:100])})
        return None


class CacheWriter:
    """Writes entries to Redis. Passes on the errors of the Redis client."""

    def __init__(self, redis: "Redis", ttl_s: float, *, announce: bool) -> None:
        self._write = redis.register_script(_WRITE)
        self._ttl_s = ttl_s
        self._start = [int(ttl_s * 1000), int(announce)]

    async def write(self, readings: Iterable[Reading]) -> None:
        """Writes the entries of readings. Keeps entries with a newer version in the same epoch.

        Skips readings that are older than the time to live, because a newer entry may have expired since then.
        """
        keys: list[str] = []
        arguments: list[int | bytes] = [*self._start]
        oldest_s = time.monotonic() - self._ttl_s
        for wallet, checkpoint, began_s in readings:
            if began_s > oldest_s:
                entry = entry_of(wallet, checkpoint)
                keys.append(cache_key(wallet.account_id))
                arguments += (entry.version, b"%d %s %d %s" % entry)
        if keys:
            await self._write(keys=keys, args=arguments)
