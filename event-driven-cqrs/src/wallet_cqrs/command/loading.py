"""Loads wallets that are not in memory: reads and folds their events in bounded chunks."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from prometheus_client import Counter

from wallet_cqrs.command.event_store import EventStore, Tail
from wallet_cqrs.command.snapshots import SnapshotWriter
from wallet_cqrs.command.wallet_cache import StreamEvent, WalletCache, fold
from wallet_cqrs.domain.wallet import ImpossibleEvent, Wallet
from wallet_cqrs.events import UndecodableEvent
from wallet_kernel.database import DATABASE_ERRORS

LOADED = Counter("wallet_loaded_events", "Events folded to load wallets that were not in memory.")

STREAMS_MAX = 1000
"""The most streams that one statement looks up."""
EVENTS_MAX = 5000
"""The most events in one chunk. Folding them blocks the event loop for about 30 ms."""
LOAD_TIME_S = 0.5
"""A batch stops loading after about this time. The wallets loaded so far stay in memory."""

_log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """The wallets that a load could not bring into memory."""

    missing: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    """Those of the missing wallets that have an event that cannot be folded."""
    error: Exception | None = None
    """The event store's error, if it did not answer."""


class Loader:
    """Loads wallets into the cache. If a wallet needed many events, writes a snapshot of it."""

    def __init__(self, store: EventStore, cache: WalletCache, snapshots: SnapshotWriter) -> None:
        self._store = store
        self._cache = cache
        self._snapshots = snapshots

    async def load(self, accounts: Sequence[str]) -> Loaded:
        """Loads as many of these wallets as it can within `LOAD_TIME_S`; returns those still missing."""
        end_s = time.monotonic() + LOAD_TIME_S
        broken: set[str] = set()
        failure: Exception | None = None
        try:
            if self._cache.position is None:
                self._cache.begin(*await self._store.head())
            for begin in range(0, len(accounts), STREAMS_MAX):
                await self._load_some(accounts[begin : begin + STREAMS_MAX], end_s, broken)
                if time.monotonic() > end_s:
                    break
        except DATABASE_ERRORS as error:
            failure = error
        return Loaded(frozenset(self._cache.missing(accounts)), frozenset(broken), failure)

    async def _load_some(self, accounts: Sequence[str], end_s: float, broken: set[str]) -> None:
        wallets, tails = await self._store.streams(accounts)
        behind = {tail.account_id: tail for tail in tails}
        self._cache.add({name: wallet for name, wallet in wallets.items() if name not in behind})
        for chunk in chunks(tails, EVENTS_MAX):
            events = await self._store.events(chunk)
            broken |= _fold(wallets, events)
            LOADED.inc(len(events))
            self._take([(wallets[name], behind[name]) for name, _, _ in chunk if name not in broken])
            if time.monotonic() > end_s:
                return

    def _take(self, folded: Sequence[tuple[Wallet, Tail]]) -> None:
        """Caches complete wallets. Also writes snapshots of incomplete ones, so that the next load can continue."""
        self._cache.add(
            {wallet.account_id: wallet for wallet, tail in folded if wallet.version == tail.until}
        )
        every = self._snapshots.every
        self._snapshots.add([wallet for wallet, tail in folded if wallet.version - tail.after >= every])


def chunks(tails: Iterable[Tail], events_max: int) -> Iterator[list[Tail]]:
    """Splits tails into chunks of at most `events_max` events, in order. A long tail spans several chunks."""
    chunk, room = list[Tail](), events_max
    for tail in tails:
        rest = tail
        while rest.after < rest.until:
            upto = min(rest.until, rest.after + room)
            chunk.append(rest._replace(until=upto))
            room -= upto - rest.after
            rest = rest._replace(after=upto)
            if not room:
                yield chunk
                chunk, room = [], events_max
    if chunk:
        yield chunk


def _fold(wallets: dict[str, Wallet], events: Iterable[StreamEvent]) -> set[str]:
    """Applies events to their wallets in place, each stream in order. Returns the wallets that cannot be folded."""
    broken: set[str] = set()
    for event in events:
        if event.stream_id not in broken:
            try:
                wallets[event.stream_id] = fold(wallets[event.stream_id], event)
            except (ImpossibleEvent, UndecodableEvent):
                _log.exception("a wallet cannot be loaded", extra={"account": event.stream_id})
                broken.add(event.stream_id)
    return broken
