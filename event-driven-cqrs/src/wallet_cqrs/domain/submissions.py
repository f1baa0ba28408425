"""The commands that a batch can contain, and their possible outcomes."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from wallet_cqrs.domain.commands import (
    CloseWallet,
    Deposit,
    FreezeWallet,
    OpenWallet,
    TransferMoney,
    UnfreezeWallet,
    Withdraw,
)
from wallet_cqrs.domain.decisions import Refused
from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.events import TransferKind
from wallet_kernel.accounts import EXTERNAL
from wallet_kernel.refusals import Refusal

MoneyCommand = TransferMoney | OpenWallet | Deposit | Withdraw
StatusCommand = FreezeWallet | UnfreezeWallet | CloseWallet


class Submission(Struct, frozen=True, gc=False):
    """A command that moves money, with its transaction id.

    `resent` means that it was submitted before and may already be in the log.
    """

    command: MoneyCommand
    transaction_id: UUID
    key: str | None = None
    fingerprint: bytes | None = None
    resent: bool = False


class Decided(Struct, frozen=True, gc=False):
    """A stored decision about money: the positions of its events, or its refusal."""

    transaction_id: UUID
    kind: TransferKind
    from_account: str
    to_account: str
    amount_micros: int
    currency: str
    reason: Refusal | None
    refused_by: str | None
    first_position: int | None
    last_position: int
    key: str | None
    fingerprint: bytes | None
    at: datetime


class KeyReused(Struct, frozen=True, gc=False):
    """An earlier request used the same idempotency key with other content. Nothing was recorded."""


class StatusChanged(Struct, frozen=True, gc=False):
    """A wallet that has the requested status, as of a log position."""

    wallet: Wallet
    position: int


class NotDone(Struct, frozen=True, gc=False):
    """The event store did not commit the command."""


class NotLoaded(Struct, frozen=True, gc=False):
    """The command's wallets are not in memory yet, so it was not decided. Submit it again: loading continues."""


class Unknown(Struct, frozen=True, gc=False):
    """The event store may have committed the command. Submit it again with `resent`."""


Outcome = Decided | KeyReused | StatusChanged | Refused | NotDone | NotLoaded | Unknown


class Movement(NamedTuple):
    """The kind, accounts and amount of a money command, as stored in its decision."""

    kind: TransferKind
    from_account: str
    to_account: str
    amount_micros: int


def movement(command: MoneyCommand) -> Movement:
    """Returns the kind, accounts and amount of a command."""
    if isinstance(command, TransferMoney):
        return Movement("transfer", command.from_account, command.to_account, command.amount_micros)
    if isinstance(command, OpenWallet):
        return Movement("opening", EXTERNAL, command.account_id, command.balance_micros)
    if isinstance(command, Deposit):
        return Movement("deposit", EXTERNAL, command.account_id, command.amount_micros)
    return Movement("withdrawal", command.account_id, EXTERNAL, command.amount_micros)


def owner_of(command: MoneyCommand) -> str:
    """Returns the account that scopes idempotency keys: the payer, or the wallet that receives outside money."""
    return command.from_account if isinstance(command, TransferMoney) else command.account_id


def accounts_of(items: "Iterable[Submission | StatusCommand]") -> set[str]:
    """Returns the accounts in these commands."""
    accounts = set()
    for item in items:
        command = item.command if isinstance(item, Submission) else item
        if isinstance(command, TransferMoney):
            accounts.add(command.from_account)
            accounts.add(command.to_account)
        else:
            accounts.add(command.account_id)
    return accounts
