"""Folded wallets in memory, as they stood at one position of the log."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from prometheus_client import Gauge

from wallet_cqrs.domain.wallet import ImpossibleEvent, Wallet, evolve
from wallet_cqrs.events import decode

CACHED = Gauge("wallet_cached_wallets", "Wallets the command service holds in memory.")


class StreamEvent(NamedTuple):
    """An event as it is read from the store to be folded."""

    stream_id: str
    version: int
    type: str
    schema_version: int
    data: bytes
    at: datetime


class Origin(NamedTuple):
    """Where folded wallets come from: the session with the event store, counted, and the log's epoch.

    A wallet says nothing about a log of another origin: the session may have led to another server, with an older log.
    """

    session: int
    epoch: UUID | None


class WalletCache:
    """Up to about `wallets_max` wallets, also such as do not exist; those that changed last stay longest.

    `position` and `origin` are None while nothing is known. A wallet may be newer than the position, never older: what
    it knows already is left out when the cache catches up.
    """

    def __init__(self, wallets_max: int) -> None:
        self._wallets_max = wallets_max
        self._wallets: dict[str, Wallet] = {}
        self.position: int | None = None
        self.origin: Origin | None = None
        CACHED.set_function(lambda: len(self._wallets))

    @property
    def wallets(self) -> Mapping[str, Wallet]:
        """The wallets by account."""
        return self._wallets

    def missing(self, accounts: Iterable[str]) -> list[str]:
        """Which of these accounts have to be loaded."""
        return [account for account in accounts if account not in self._wallets]

    def begin(self, origin: Origin, position: int) -> None:
        """Begins again at a position of the log that has been committed, without any wallet."""
        self._wallets.clear()
        self.origin, self.position = origin, position

    def forget(self) -> None:
        """Drops everything."""
        self._wallets.clear()
        self.origin = self.position = None

    def add(self, loaded: Mapping[str, Wallet]) -> None:
        """Takes in wallets that were loaded at this position or later."""
        self._wallets.update(loaded)

    def catch_up(self, head: int, events: Iterable[StreamEvent]) -> None:
        """Folds in what others appended: all events after this position up to `head`, in order."""
        for event in events:
            wallet = self._wallets.get(event.stream_id)
            if wallet is not None and event.version > wallet.version:
                self._wallets[event.stream_id] = fold(wallet, event)
        self.position = head

    def committed(self, position: int, changed: Mapping[str, Wallet]) -> None:
        """Takes in what a committed batch changed, and lets go of the wallets that changed longest ago."""
        self.position = position
        for account_id, wallet in changed.items():
            self._wallets.pop(account_id, None)
            self._wallets[account_id] = wallet
        while len(self._wallets) > self._wallets_max:
            del self._wallets[next(iter(self._wallets))]


def fold(wallet: Wallet, stored: StreamEvent) -> Wallet:
    """The wallet after the next event of its stream. Raises ImpossibleEvent, UndecodableEvent."""
    if stored.version != wallet.version + 1:
        raise ImpossibleEvent(
            f"version {stored.version} of {stored.stream_id} after version {wallet.version}"
        )
    return evolve(wallet, decode(stored.type, stored.schema_version, stored.data), stored.at)
