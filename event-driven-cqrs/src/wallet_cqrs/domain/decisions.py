"""`decide`: turns a command and the current wallets into events or a refusal."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from wallet_cqrs.domain.commands import (
    CloseWallet,
    Command,
    Deposit,
    FreezeWallet,
    OpenWallet,
    TransferMoney,
    UnfreezeWallet,
    Withdraw,
)
from wallet_cqrs.domain.wallet import Status, Wallet
from wallet_cqrs.events import (
    BalanceCredited,
    BalanceDebited,
    Event,
    WalletClosed,
    WalletFrozen,
    WalletOpened,
    WalletUnfrozen,
)
from wallet_kernel.accounts import EXTERNAL
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal


class Refused(Struct, frozen=True, gc=False):
    """A refused command: the reason, and the wallet that refuses."""

    reason: Refusal
    account_id: str


Happened = tuple[str, Event]
"""An account and its event."""

Decision = tuple[Happened, ...] | Refused
"""The result of a command. It has no events if the wallet already has the requested status."""

Wallets = Callable[[str], Wallet]
"""Returns the current state of a wallet, or the initial state if the wallet does not exist."""


def decide(wallets: Wallets, command: Command) -> Decision:
    """Decides a command: returns its events, or its refusal. Changes nothing."""
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
