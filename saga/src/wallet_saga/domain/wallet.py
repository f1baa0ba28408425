"""A wallet while a batch changes it."""

from dataclasses import dataclass
from datetime import datetime

from wallet_saga.domain.commands import WalletState


@dataclass(slots=True)
class Wallet:
    """A wallet with the changes of a batch. `loaded` is its stored state; None if the batch opens the wallet."""

    account_id: str
    currency: str
    status: str
    balance_micros: int
    in_flight_micros: int
    version: int
    updated_at: datetime
    loaded: WalletState | None = None

    @classmethod
    def of(cls, state: WalletState) -> "Wallet":
        """Returns the wallet as the database stores it."""
        return cls(
            account_id=state.account_id,
            currency=state.currency,
            status=state.status,
            balance_micros=state.balance_micros,
            in_flight_micros=state.in_flight_micros,
            version=state.version,
            updated_at=state.updated_at,
            loaded=state,
        )

    @property
    def loaded_version(self) -> int:
        """The stored version, or 0."""
        return self.loaded.version if self.loaded else 0

    @property
    def balance_delta(self) -> int:
        """The micros that the batch added to the balance."""
        return self.balance_micros - (self.loaded.balance_micros if self.loaded else 0)

    @property
    def in_flight_delta(self) -> int:
        """The micros that the batch added to the amount in flight."""
        return self.in_flight_micros - (self.loaded.in_flight_micros if self.loaded else 0)

    @property
    def has_new_version(self) -> bool:
        """Whether the batch added a ledger entry to this wallet."""
        return self.version != self.loaded_version

    @property
    def changed(self) -> bool:
        """Whether the batch changed this wallet."""
        return self.has_new_version or self.in_flight_delta != 0

    def state(self) -> WalletState:
        """Returns the current state of the wallet."""
        return WalletState(
            account_id=self.account_id,
            currency=self.currency,
            status=self.status,
            balance_micros=self.balance_micros,
            in_flight_micros=self.in_flight_micros,
            version=self.version,
            updated_at=self.updated_at,
        )
