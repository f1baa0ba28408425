"""Keeps the checkpoint and recently used wallets of a read model in memory, so that most batches need no read. No I/O.

The memory is a guess. The statement that writes a batch compares it with the rows, and writes nothing if they differ.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.eviction import evict
from wallet_cqrs.read_model import Checkpoint


class ModelState(NamedTuple):
    """The state that a write expects: the checkpoint, and the id of its table. A rebuild replaces the table."""

    checkpoint: Checkpoint
    table: int


class ModelPart(NamedTuple):
    """The part of a read model that a batch needs, as of one moment: its state, and those wallets that exist.

    `stopped` is the reason if the partition is stopped.
    """

    state: ModelState
    stopped: str | None
    wallets: list[Wallet]


class KnownModel:
    """Holds the last known state and up to `wallets_max` wallets of it. Evicts those that were used longest ago."""

    def __init__(self, wallets_max: int) -> None:
        self._wallets_max = wallets_max
        self._wallets: dict[str, Wallet] = {}
        self._state: ModelState | None = None

    def part(self, accounts: Collection[str]) -> ModelPart | None:
        """Returns the state with these wallets, or None if one of them is not in memory."""
        if self._state is None or not self._wallets.keys() >= set(accounts):
            return None
        return ModelPart(self._state, None, [self._wallets[account] for account in accounts])

    def keep(self, before: ModelState, after: ModelState, wallets: Iterable[Wallet]) -> None:
        """Keeps wallets as of the state `after`. The others stay if the last known state is `before`."""
        if before != self._state:
            self._wallets.clear()
        self._state = after
        for wallet in wallets:
            self._wallets.pop(wallet.account_id, None)
            self._wallets[wallet.account_id] = wallet
        evict(self._wallets, self._wallets_max)

    def clear(self) -> None:
        """Drops everything, because it may differ from the rows."""
        self._wallets.clear()
        self._state = None
