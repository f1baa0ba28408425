"""Balances in Redis, as projection and query both know them: keys, entries, announcements, and the versioned write.

An entry is a hint that expires after some seconds. It says which position it reflects, and in which epoch of the log,
so a reader that needs a later one looks elsewhere. Versions decide between writers of one epoch: a late write of an
older value never replaces a newer one.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from redis.asyncio import Redis

from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.read_model import Checkpoint, wallet_view
from wallet_kernel.contract.answers import wallet_body

# KEYS: entries. ARGV: how long they live (ms), whether to announce them (1) or not (0), then version and entry of each.
# The first words of an entry are its version and epoch. What was announced is announced again when it is written again.
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
    """A wallet's entry: the answer's body, and the version, epoch of the log and position that it reflects."""

    version: int
    epoch: bytes
    position: int
    body: bytes

    def replaces(self, shown: "Entry") -> bool:
        """Whether a reader of the other entry must see this one: it is newer, or of a restored log."""
        return self.version > shown.version or (self.epoch != shown.epoch and self.version != shown.version)


def cache_key(account_id: str) -> str:
    """The key of a wallet's entry."""
    return f"balance:{account_id}"


def channel(account_id: str) -> str:
    """The Pub/Sub channel on which a wallet's changed entries are announced."""
    return f"changed:balance:{account_id}"


def epoch_word(epoch: UUID | None) -> bytes:
    """An epoch as entries name it."""
    return b"-" if epoch is None else epoch.hex.encode()


def entry_of(wallet: Wallet, checkpoint: Checkpoint) -> Entry:
    """A wallet's entry, with the document that answers for it as it was at a checkpoint."""
    body = b'%s,"position":%d}' % (wallet_body(wallet_view(wallet))[:-1], checkpoint.position)
    return Entry(wallet.version, epoch_word(checkpoint.epoch), checkpoint.position, body)


def parse_entry(raw: bytes) -> Entry:
    """An entry as it lies in Redis."""
    version, epoch, position, body = raw.split(b" ", 3)
    return Entry(int(version), epoch, int(position), body)


class CacheWriter:
    """Writes entries; raises what the client raises."""

    def __init__(self, redis: "Redis", ttl_s: float, *, announce: bool) -> None:
        self._write = redis.register_script(_WRITE)
        self._start = [int(ttl_s * 1000), int(announce)]

    async def write(self, wallets: Iterable[Wallet], checkpoint: Checkpoint) -> None:
        """Writes the entries of wallets as they were at a checkpoint, unless a newer version of its epoch is there."""
        keys: list[str] = []
        arguments: list[int | bytes] = [*self._start]
        for wallet in wallets:
            entry = entry_of(wallet, checkpoint)
            keys.append(cache_key(wallet.account_id))
            arguments += (entry.version, b"%d %s %d %s" % entry)
        if keys:
            await self._write(keys=keys, args=arguments)
