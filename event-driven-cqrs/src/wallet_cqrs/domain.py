"""The wallet as a decider: pure functions from state and command to events, and from state and event to state.

    decide(wallets, command) -> events, or a refusal
    evolve(wallet, event, at) -> wallet

No I/O, no clock, no randomness. A transfer is one decision over two wallets: both events, or neither.
The pattern: J. Chassaing, "Functional Event Sourcing Decider" (2021).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from wallet_cqrs.events import (
    EXTERNAL,
    BalanceCredited,
    BalanceDebited,
    Event,
    WalletClosed,
    WalletFrozen,
    WalletOpened,
    WalletUnfrozen,
)
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal

Status = Literal["absent", "active", "frozen", "closed"]

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


STATE_SCHEMA = 1
"""Goes up whenever `Wallet` or `evolve` changes what a snapshot means; those of another schema are not read."""


class Wallet(Struct, frozen=True, gc=False):
    """A wallet after its first `version` events; version 0 is one that was never opened.

    `updated_at` is the time of the last event.
    """

    account_id: str
    currency: str
    status: Status
    balance_micros: int
    version: int
    updated_at: datetime


def initial_state(account_id: str) -> Wallet:
    """A name no wallet was ever opened under."""
    return Wallet(account_id, "", "absent", 0, 0, _BEGINNING)


class ImpossibleEvent(Exception):
    """The event cannot have happened to this wallet: the log, or its reader, is broken."""


# --- Commands ---------------------------------------------------------------------------------------------------------


class Command(Struct, frozen=True, gc=False):
    """What a client wants of one or two wallets."""


class TransferMoney(Command, frozen=True, gc=False):
    """Move money from one wallet to another."""

    from_account: str
    to_account: str
    amount_micros: int
    currency: str


class OpenWallet(Command, frozen=True, gc=False):
    """Open a wallet with a balance from the external account; 0 is allowed."""

    account_id: str
    balance_micros: int
    currency: str


class Deposit(Command, frozen=True, gc=False):
    """Money from the external account into a wallet."""

    account_id: str
    amount_micros: int
    currency: str


class Withdraw(Command, frozen=True, gc=False):
    """Money out of a wallet to the external account."""

    account_id: str
    amount_micros: int
    currency: str


class FreezeWallet(Command, frozen=True, gc=False):
    """Let the wallet neither pay nor be paid."""

    account_id: str


class UnfreezeWallet(Command, frozen=True, gc=False):
    """Let the wallet pay and be paid again."""

    account_id: str


class CloseWallet(Command, frozen=True, gc=False):
    """Close an empty wallet for good."""

    account_id: str


# --- Decisions --------------------------------------------------------------------------------------------------------


class Refused(Struct, frozen=True, gc=False):
    """The decision against a command: why, and which wallet refuses."""

    reason: Refusal
    account_id: str


Happened = tuple[str, Event]
"""The account and what happened to it."""

Decision = tuple[Happened, ...] | Refused
"""What a command leads to; no events at all if the wallet is already as the command wants it."""

Wallets = Callable[[str], Wallet]
"""Finds a wallet as it stands; a name without a wallet gives the initial state."""


def decide(wallets: Wallets, command: Command) -> Decision:
    """What follows from a command, given the wallets as they stand."""
    return _DECISIONS[type(command)](wallets, command)


def _transfer(wallets: Wallets, command: TransferMoney) -> Decision:
    payer, payee, amount = command.from_account, command.to_account, command.amount_micros
    if reason := _refuse_payment(wallets(payer), amount, command.currency):
        return Refused(reason, payer)
    if reason := _refuse_receipt(wallets(payee), amount, command.currency):
        return Refused(reason, payee)
    return (
        (payer, BalanceDebited(amount, "transfer", payee)),
        (payee, BalanceCredited(amount, "transfer", payer)),
    )


def _open(wallets: Wallets, command: OpenWallet) -> Decision:
    if wallets(command.account_id).version:
        return Refused(Refusal.WALLET_EXISTS, command.account_id)
    return ((command.account_id, WalletOpened(command.currency, command.balance_micros)),)


def _deposit(wallets: Wallets, command: Deposit) -> Decision:
    account, amount = command.account_id, command.amount_micros
    if reason := _refuse_receipt(wallets(account), amount, command.currency):
        return Refused(reason, account)
    return ((account, BalanceCredited(amount, "deposit", EXTERNAL)),)


def _withdraw(wallets: Wallets, command: Withdraw) -> Decision:
    account, amount = command.account_id, command.amount_micros
    if reason := _refuse_payment(wallets(account), amount, command.currency):
        return Refused(reason, account)
    return ((account, BalanceDebited(amount, "withdrawal", EXTERNAL)),)


def _freeze(wallets: Wallets, command: FreezeWallet) -> Decision:
    return _change_status(wallets(command.account_id), "frozen", WalletFrozen())


def _unfreeze(wallets: Wallets, command: UnfreezeWallet) -> Decision:
    return _change_status(wallets(command.account_id), "active", WalletUnfrozen())


def _close(wallets: Wallets, command: CloseWallet) -> Decision:
    wallet = wallets(command.account_id)
    if wallet.status == "absent":
        return Refused(Refusal.WALLET_NOT_FOUND, wallet.account_id)
    if wallet.balance_micros:
        return Refused(Refusal.WALLET_NOT_EMPTY, wallet.account_id)
    return () if wallet.status == "closed" else ((wallet.account_id, WalletClosed()),)


def _change_status(wallet: Wallet, status: Status, event: Event) -> Decision:
    if wallet.status == "absent":
        return Refused(Refusal.WALLET_NOT_FOUND, wallet.account_id)
    if wallet.status == "closed":
        return Refused(Refusal.WALLET_CLOSED, wallet.account_id)
    return () if wallet.status == status else ((wallet.account_id, event),)


def _refuse_payment(wallet: Wallet, amount_micros: int, currency: str) -> Refusal | None:
    if reason := _refuse_posting(wallet, currency):
        return reason
    return Refusal.INSUFFICIENT_FUNDS if wallet.balance_micros < amount_micros else None


def _refuse_receipt(wallet: Wallet, amount_micros: int, currency: str) -> Refusal | None:
    if reason := _refuse_posting(wallet, currency):
        return reason
    return Refusal.BALANCE_LIMIT if wallet.balance_micros + amount_micros > AMOUNT_MAX_MICROS else None


def _refuse_posting(wallet: Wallet, currency: str) -> Refusal | None:
    if wallet.status != "active":
        return _NOT_ACTIVE[wallet.status]
    return Refusal.CURRENCY_MISMATCH if wallet.currency != currency else None


_NOT_ACTIVE = {
    "absent": Refusal.WALLET_NOT_FOUND,
    "closed": Refusal.WALLET_CLOSED,
    "frozen": Refusal.WALLET_FROZEN,
}

_DECISIONS: dict[type[Command], Callable[[Wallets, Any], Decision]] = {
    TransferMoney: _transfer,
    OpenWallet: _open,
    Deposit: _deposit,
    Withdraw: _withdraw,
    FreezeWallet: _freeze,
    UnfreezeWallet: _unfreeze,
    CloseWallet: _close,
}


# --- Evolution --------------------------------------------------------------------------------------------------------


def evolve(wallet: Wallet, event: Event, at: datetime) -> Wallet:
    """The wallet after an event that happened at that time. Raises ImpossibleEvent."""
    evolution = _EVOLUTIONS.get(type(event))
    if evolution is None:
        raise ImpossibleEvent(f"nothing is known of {type(event).__name__}")
    return evolution(wallet, event, at)


def _opened(wallet: Wallet, event: WalletOpened, at: datetime) -> Wallet:
    if wallet.version or not 0 <= event.balance_micros <= AMOUNT_MAX_MICROS:
        raise ImpossibleEvent(f"{event} on {wallet}")
    return Wallet(wallet.account_id, event.currency, "active", event.balance_micros, 1, at)


def _debited(wallet: Wallet, event: BalanceDebited, at: datetime) -> Wallet:
    return _posted(wallet, event.amount_micros, -1, at)


def _credited(wallet: Wallet, event: BalanceCredited, at: datetime) -> Wallet:
    return _posted(wallet, event.amount_micros, 1, at)


def _posted(wallet: Wallet, amount_micros: int, sign: Literal[1, -1], at: datetime) -> Wallet:
    balance_micros = wallet.balance_micros + sign * amount_micros
    if wallet.status != "active" or amount_micros <= 0 or not 0 <= balance_micros <= AMOUNT_MAX_MICROS:
        raise ImpossibleEvent(f"a posting of {sign * amount_micros} micros on {wallet}")
    return Wallet(wallet.account_id, wallet.currency, "active", balance_micros, wallet.version + 1, at)


def _frozen(wallet: Wallet, _: WalletFrozen, at: datetime) -> Wallet:
    return _with_status(wallet, "active", "frozen", at)


def _unfrozen(wallet: Wallet, _: WalletUnfrozen, at: datetime) -> Wallet:
    return _with_status(wallet, "frozen", "active", at)


def _with_status(wallet: Wallet, expected: Status, status: Status, at: datetime) -> Wallet:
    if wallet.status != expected:
        raise ImpossibleEvent(f"{status} after {wallet}")
    return Wallet(wallet.account_id, wallet.currency, status, wallet.balance_micros, wallet.version + 1, at)


def _closed(wallet: Wallet, _: WalletClosed, at: datetime) -> Wallet:
    if wallet.status not in ("active", "frozen") or wallet.balance_micros:
        raise ImpossibleEvent(f"closed after {wallet}")
    return Wallet(wallet.account_id, wallet.currency, "closed", 0, wallet.version + 1, at)


_EVOLUTIONS: dict[type[Event], Callable[[Wallet, Any, datetime], Wallet]] = {
    WalletOpened: _opened,
    BalanceDebited: _debited,
    BalanceCredited: _credited,
    WalletFrozen: _frozen,
    WalletUnfrozen: _unfrozen,
    WalletClosed: _closed,
}
