"""The values that the baselines decide on and store."""

from datetime import datetime
from typing import Any, Literal, NamedTuple, Self
from uuid import UUID

from msgspec import Struct

from wallet_kernel.accounts import EXTERNAL, key_owner
from wallet_kernel.refusals import Refusal

TransferKind = Literal["transfer", "opening", "deposit", "withdrawal"]
Status = Literal["active", "frozen", "closed"]
Key = tuple[str, str]
"""The owner of an idempotency key, and the key."""


class MoveMoney(Struct, frozen=True):
    """The command to move money between two wallets, or between a wallet and the external account."""

    transaction_id: UUID
    kind: TransferKind
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None

    @property
    def accounts(self) -> set[str]:
        """The wallets that the command moves money from or to."""
        return {self.from_account, self.to_account} - {EXTERNAL}

    @property
    def owner(self) -> str:
        """The wallet that owns the idempotency key: the payer, or the receiver if the money comes from outside."""
        return key_owner(self.from_account, self.to_account)

    @property
    def sides(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The payer and the payee, each with the amount by which its balance changes."""
        return (self.from_account, -self.amount_micros), (self.to_account, self.amount_micros)

    def counterparty_of(self, account_id: str) -> str:
        """Returns the payee for the payer, and the payer for the payee."""
        return self.to_account if account_id == self.from_account else self.from_account


class Transfer(MoveMoney, frozen=True):
    """A decided command, as the database stores it. `reason` and the wallet that refused are None after a success."""

    reason: Refusal | None
    refused_by: str | None
    at: datetime

    @classmethod
    def of(cls, row: Any) -> Self:  # noqa: ANN401 -- asyncpg has no types
        """Returns the transfer of a row: the members of the command, and those of its decision."""
        *command, reason, refused_by, at = row
        members: list[Any] = [*command, Refusal(reason) if reason else None, refused_by, at]
        return cls(*members)


class Outcome(NamedTuple):
    """The decision of a command, or of the first command with its idempotency key.

    `pending` means that the decision is durable, but not yet visible in both wallets.
    """

    transfer: Transfer
    pending: bool = False


class Entry(NamedTuple):
    """A ledger entry: a posting or a status change (amount 0), with the wallet's balance after it."""

    account_id: str
    version: int
    kind: str
    transaction_id: UUID | None
    amount_micros: int
    balance_micros: int
    counterparty: str | None
    at: datetime
