"""A command on its way into the log, and what can come of it."""

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
from wallet_cqrs.events import EXTERNAL, TransferKind
from wallet_kernel.refusals import Refusal

MoneyCommand = TransferMoney | OpenWallet | Deposit | Withdraw
StatusCommand = FreezeWallet | UnfreezeWallet | CloseWallet


class Submission(Struct, frozen=True, gc=False):
    """A command that moves money, under its transaction id.

    `resent`: it was on its way before, and may be in the log already.
    """

    command: MoneyCommand
    transaction_id: UUID
    key: str | None = None
    fingerprint: bytes | None = None
    resent: bool = False


class Decided(Struct, frozen=True, gc=False):
    """A decision about money as the event store keeps it: the events it appended, or its refusal."""

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
    """The idempotency key came first with another request; of this one nothing is recorded."""


class Standing(Struct, frozen=True, gc=False):
    """A wallet that is as its command wanted it, at that position of the log."""

    wallet: Wallet
    position: int


class NotDone(Struct, frozen=True, gc=False):
    """The event store could not take it, and certainly has not."""


class NotLoaded(Struct, frozen=True, gc=False):
    """Its wallets are not in memory yet, so nothing was sent to the event store. Send it again: loading goes on."""


class Unknown(Struct, frozen=True, gc=False):
    """The event store did not say whether it was committed. Send it again, as resent."""


Outcome = Decided | KeyReused | Standing | Refused | NotDone | NotLoaded | Unknown


class Movement(NamedTuple):
    """What a command about money asks for, as decisions record it."""

    kind: TransferKind
    from_account: str
    to_account: str
    amount_micros: int


def movement(command: MoneyCommand) -> Movement:
    """What the command asks for."""
    if isinstance(command, TransferMoney):
        return Movement("transfer", command.from_account, command.to_account, command.amount_micros)
    if isinstance(command, OpenWallet):
        return Movement("opening", EXTERNAL, command.account_id, command.balance_micros)
    if isinstance(command, Deposit):
        return Movement("deposit", EXTERNAL, command.account_id, command.amount_micros)
    return Movement("withdrawal", command.account_id, EXTERNAL, command.amount_micros)


def owner_of(command: MoneyCommand) -> str:
    """Whose idempotency keys these are: the payer's, or of money from outside the wallet's that gets it."""
    return command.from_account if isinstance(command, TransferMoney) else command.account_id


def accounts_of(items: "Iterable[Submission | StatusCommand]") -> set[str]:
    """The wallets that these commands are about."""
    accounts = set()
    for item in items:
        command = item.command if isinstance(item, Submission) else item
        if isinstance(command, TransferMoney):
            accounts.add(command.from_account)
            accounts.add(command.to_account)
        else:
            accounts.add(command.account_id)
    return accounts
