"""Batches of given wallets, for tests of the shard's decisions."""

from datetime import UTC, datetime
from uuid import UUID

from wallet_saga.domain.batch import Batch
from wallet_saga.domain.commands import Command, Outcome, WalletState
from wallet_saga.domain.decisions import decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = UUID(int=1)


def wallet(
    name: str = "w", balance: int = 100, *, status: str = "active", currency: str = "USD", in_flight: int = 0
) -> WalletState:
    """A wallet of version 1; amounts in micros."""
    return WalletState(name, currency, status, balance, in_flight, 1, NOW)


def given(*wallets: WalletState) -> Batch:
    """A batch with these wallets."""
    return Batch.of(NOW, wallets)


def when(batch: Batch, *steps: Command) -> list[Outcome]:
    """Decides steps one after the other and returns their outcomes."""
    return [decide(batch, step) for step in steps]


def holds(batch: Batch, name: str) -> tuple[int, int, int]:
    """Returns a wallet's balance, its amount in flight, and its version."""
    found = batch.wallets[name]
    return found.balance_micros, found.in_flight_micros, found.version
