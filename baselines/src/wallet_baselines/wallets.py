"""The use cases that every baseline offers to the public routes."""

from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from wallet_baselines.records import Entry, MoveMoney, Outcome, Status
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.readiness import ReadyCheck


class NothingDone(Exception):
    """The command was not carried out and never will be. The caller may send it again."""


class Wallets(Protocol):
    """Writes and reads of wallets.

    Writes raise CommitUnknown if their outcome is unknown. After any other exception they changed nothing.
    """

    pings: dict[str, ReadyCheck]
    """The readiness check of each database."""

    async def __aenter__(self) -> Self:
        """Opens the databases."""

    async def __aexit__(self, *error: object) -> None:
        """Ends the work that was accepted and closes the databases."""

    async def move(self, command: MoveMoney) -> Outcome:
        """Carries out a command once per idempotency key."""

    async def set_status(self, account_id: str, status: Status) -> WalletView | Refusal:
        """Freezes or unfreezes a wallet, or closes an empty one permanently."""

    async def balance(self, account_id: str) -> WalletView | None:
        """Returns a wallet, or None."""

    async def balance_at(self, account_id: str, at: datetime) -> tuple[datetime, WalletView | None]:
        """Returns the database's time and the wallet at moment `at`, or None if it did not exist yet."""

    async def statement(self, account_id: str, limit: int, before_version: int | None) -> list[Entry]:
        """Returns up to `limit` postings below a version, newest first."""

    async def transfer(self, transaction_id: UUID) -> Outcome | None:
        """Returns the outcome of a command, or None if it was not carried out and never will be."""
