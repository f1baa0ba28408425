"""Decides commands on the rows that a transaction has locked. Pure, no I/O.

The store loads the rows, `Batch` decides the commands one after the other, and the store writes the changes.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from msgspec.structs import astuple

from wallet_baselines.records import Entry, Key, MoveMoney, Status, Transfer
from wallet_kernel.accounts import EXTERNAL
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal


@dataclass
class Batch:
    """The wallets and earlier transfers of a transaction, and its changes. `now` is the database's time."""

    now: datetime
    wallets: dict[str, WalletView]
    transfers: dict[Key, Transfer]
    opened: dict[str, WalletView] = field(default_factory=dict)
    changed: dict[str, WalletView] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    decided: list[Transfer] = field(default_factory=list)
    external: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, now: datetime, wallets: Iterable[WalletView], transfers: Iterable[Transfer]) -> Self:
        """Returns a batch of loaded rows without changes."""
        by_key = {(first.owner, first.key): first for first in transfers if first.key}
        return cls(now, {wallet.account_id: wallet for wallet in wallets}, by_key)

    def move(self, command: MoveMoney) -> Transfer:
        """Decides a command and returns its transfer, or the first transfer with the same idempotency key."""
        if command.key and (first := self.transfers.get((command.owner, command.key))):
            return first
        reason, refused_by = refusal(self.wallets, command) or (None, None)
        transfer = Transfer.of((*astuple(command), reason, refused_by, self.now))
        self.decided.append(transfer)
        if command.key:
            self.transfers[command.owner, command.key] = transfer
        if reason is None:
            self._post(transfer)
        return transfer

    def set_status(self, account_id: str, status: Status) -> WalletView | Refusal:
        """Freezes, unfreezes or closes a wallet. If the wallet already has that status, nothing changes."""
        wallet = self.wallets.get(account_id)
        if wallet is None:
            return Refusal.WALLET_NOT_FOUND
        if wallet.status == status:
            return wallet
        if wallet.status == "closed":
            return Refusal.WALLET_CLOSED
        if status == "closed" and wallet.balance_micros:
            return Refusal.WALLET_NOT_EMPTY
        return self._enter(replace(wallet, status=status), "unfrozen" if status == "active" else status)

    def _post(self, transfer: Transfer) -> None:
        if transfer.kind == "opening":
            wallet = WalletView(transfer.to_account, transfer.currency, 0, 0, "active", self.now)
            self.wallets[wallet.account_id] = self.opened[wallet.account_id] = wallet
        for account, amount_micros in transfer.sides:
            if account == EXTERNAL:
                self.external[transfer.currency] += amount_micros
            else:
                self._enter(self.wallets[account], transfer.kind, amount_micros, transfer)

    def _enter(
        self, wallet: WalletView, kind: str, amount_micros: int = 0, cause: Transfer | None = None
    ) -> WalletView:
        """Adds a version of the wallet and its ledger entry. Its time never precedes the version before it."""
        name = wallet.account_id
        balance_micros = wallet.balance_micros + amount_micros
        at = max(self.now, wallet.updated_at)
        wallet = replace(wallet, balance_micros=balance_micros, version=wallet.version + 1, updated_at=at)
        self.wallets[name] = wallet
        (self.opened if name in self.opened else self.changed)[name] = wallet
        cause_id, other = (cause.transaction_id, cause.counterparty_of(name)) if cause else (None, None)
        entry = Entry(name, wallet.version, kind, cause_id, amount_micros, balance_micros, other, at)
        self.entries.append(entry)
        return wallet


def refusal(wallets: dict[str, WalletView], command: MoveMoney) -> tuple[Refusal, str] | None:
    """Returns why a command is refused and by which wallet, or None. The payer's reasons come first."""
    if command.kind == "opening":
        return (Refusal.WALLET_EXISTS, command.to_account) if command.to_account in wallets else None
    for account, micros in command.sides:
        if account != EXTERNAL and (reason := _refuse(wallets.get(account), micros, command.currency)):
            return reason, account
    return None


def _refuse(wallet: WalletView | None, amount_micros: int, currency: str) -> Refusal | None:
    """Returns why a wallet refuses a posting, or None. The order of the reasons is that of the contract."""
    if wallet is None:
        return Refusal.WALLET_NOT_FOUND
    if wallet.status != "active":
        return Refusal.WALLET_CLOSED if wallet.status == "closed" else Refusal.WALLET_FROZEN
    if wallet.currency != currency:
        return Refusal.CURRENCY_MISMATCH
    balance_micros = wallet.balance_micros + amount_micros
    if balance_micros < 0:
        return Refusal.INSUFFICIENT_FUNDS
    return Refusal.BALANCE_LIMIT if balance_micros > AMOUNT_MAX_MICROS else None
