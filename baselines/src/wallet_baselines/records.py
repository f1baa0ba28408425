"""The values that the baselines decide on and store."""

from datetime import datetime
from typing import Any, Literal, NamedTuple, Self
from uuid import UUID

from wallet_kernel.accounts import EXTERNAL, key_owner
from wallet_kernel.refusals import Refusal

TransferKind = Literal["transfer", "opening", "deposit", "withdrawal"]


class MoveMoney(NamedTuple):
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


class Transfer(NamedTuple):
    """A decided command, as the database stores it. `reason` and the wallet that refused are None after a success."""

    transaction_id: UUID
    kind: TransferKind
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    key: str | None
    fingerprint: bytes | None
    reason: Refusal | None
    refused_by: str | None
    at: datetime

    @classmethod
    def of(cls, row: Any) -> Self:  # noqa: ANN401 -- asyncpg has no types
        """Returns the transfer in a row of the table."""
        transfer = cls(*row)
        return transfer._replace(reason=Refusal(transfer.reason) if transfer.reason else None)


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
