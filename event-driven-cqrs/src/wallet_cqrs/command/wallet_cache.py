"""Caches wallets in memory, as of one position of the log."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from prometheus_client import Gauge

from wallet_cqrs.domain.wallet import ImpossibleEvent, Wallet, evolve
from wallet_cqrs.events import decode
from wallet_cqrs.eviction import evict

CACHED = Gauge("wallet_cached_wallets", "Wallets the command service holds in memory.")


class StreamEvent(NamedTuple):
    """An event from the event store, with the fields that folding needs."""

    stream_id: str
    version: int
    type: str
    schema_version: int
    data: bytes
    at: datetime


class Origin(NamedTuple):
    """The origin of cached wallets: the number of the database session, and the log's epoch.

    Wallets of one origin are not valid for another, because a new session may reach a server with an older log.
    """

    session: int
    epoch: UUID | None


class WalletCache:
    """Holds at most `wallets_max` wallets and those of one batch, including unopened ones.

    `position` and `origin` are None while the cache is empty. A wallet may be newer than the position, but never older.
    `catch_up` skips events that a wallet already contains.
    """

    def __init__(self, wallets_max: int) -> None:
        self._wallets_max = wallets_max
        self._wallets: dict[str, Wallet] = {}
        self.position: int | None = None
        self.origin: Origin | None = None
        CACHED.set_function(lambda: len(self._wallets))

    @property
    def wallets(self) -> Mapping[str, Wallet]:
        """The cached wallets by account."""
        return self._wallets

    def missing(self, accounts: Iterable[str]) -> list[str]:
        """Returns those of these accounts that are not cached."""
        return [account for account in accounts if account not in self._wallets]

    def begin(self, origin: Origin, position: int) -> None:
        """Clears the cache, and sets its origin and its committed position of the log."""
        self._wallets.clear()
        self.origin, self.position = origin, position

    def clear(self) -> None:
        """Clears the cache, its origin and its position."""
        self._wallets.clear()
        self.origin = self.position = None

    def add(self, loaded: Mapping[str, Wallet]) -> None:
        """Adds wallets that were loaded at this position or later."""
        self._wallets.update(loaded)

    def catch_up(self, head: int, events: Iterable[StreamEvent]) -> None:
        """Applies the events of other replicas: all events after this position up to `head`, in order."""
        for event in events:
            wallet = self._wallets.get(event.stream_id)
            if wallet is not None and event.version > wallet.version:
                self._wallets[event.stream_id] = fold(wallet, event)
        self.position = head

    def committed(self, position: int, changed: Mapping[str, Wallet]) -> None:
        """Stores the wallets that a committed batch changed, and evicts those that changed longest ago."""
        self.position = position
        for wallet in changed.values():
            self._wallets.pop(wallet.account_id, None)
            self._wallets[wallet.account_id] = (
                wallet  # the wallet's own string, because a second one takes memory
            )
        self.evict()

    def evict(self) -> None:
        """If there are more than `wallets_max` wallets, evicts those that changed longest ago."""
        evict(self._wallets, self._wallets_max)


def fold(wallet: Wallet, stored: StreamEvent) -> Wallet:
    """Returns the wallet after the next event of its stream. Raises ImpossibleEvent, UndecodableEvent."""
    if stored.version != wallet.version + 1:
        raise ImpossibleEvent(
            f"event version {stored.version} of {stored.stream_id} cannot follow version {wallet.version}"
        )
    return evolve(wallet, decode(stored.type, stored.schema_version, stored.data), stored.at)
