"""Decides commands on the rows that a transaction has locked. Pure, no I/O.

The store loads the rows, `Batch` decides the commands one after the other, and the store writes the changes.
"""

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from wallet_baselines.records import Entry, MoveMoney, Transfer
from wallet_kernel.accounts import EXTERNAL, key_owner
from wallet_kernel.contract.responses import WalletView
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal


@dataclass
class Batch:
    """The wallets and earlier transfers of a transaction, and its changes. `now` is the database's time."""

    now: datetime
    wallets: dict[str, WalletView]
    transfers: dict[tuple[str, str], Transfer]
    opened: dict[str, WalletView] = field(default_factory=dict)
    changed: dict[str, WalletView] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    decided: list[Transfer] = field(default_factory=list)
    external: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, now: datetime, wallets: Iterable[WalletView], transfers: Iterable[Transfer]) -> Self:
        """Returns a batch of loaded rows without changes."""
        by_key = {
            (key_owner(first.from_account, first.to_account), first.key): first
            for first in transfers
            if first.key
        }
        return cls(now, {wallet.account_id: wallet for wallet in wallets}, by_key)

    def joined(self, other: "Batch") -> "Batch":
        """Returns the loaded rows of two shards as one batch without changes. Its time is the later one."""
        return Batch(max(self.now, other.now), self.wallets | other.wallets, self.transfers | other.transfers)

    def share(self, accounts: Container[str]) -> "Batch":
        """Returns the changes of these wallets without the decided transfers: the part that one shard writes."""
        changed = {name: wallet for name, wallet in self.changed.items() if name in accounts}
        entries = [entry for entry in self.entries if entry.account_id in accounts]
        return Batch(self.now, {}, {}, changed=changed, entries=entries)

    def move(self, command: MoveMoney) -> Transfer:
        """Decides a command and returns its transfer, or the first transfer with the same idempotency key."""
        if command.key and (first := self.transfers.get((command.owner, command.key))):
            return first
        reason, refused_by = refusal(self.wallets, command) or (None, None)
        transfer = Transfer(*command, reason, refused_by, self.now)
        self.decided.append(transfer)
        if command.key:
            self.transfers[command.owner, command.key] = transfer
        if reason is None:
            self._post(transfer)
        return transfer

    def set_frozen(self, account_id: str, *, frozen: bool) -> WalletView | Refusal:
        """Freezes or unfreezes a wallet. If the wallet already has that status, nothing changes."""
        wallet = self.wallets.get(account_id)
        if wallet is None:
            return Refusal.WALLET_NOT_FOUND
        if wallet.status == "closed":
            return Refusal.WALLET_CLOSED
        status, kind = ("frozen", "frozen") if frozen else ("active", "unfrozen")
        return wallet if wallet.status == status else self._enter(replace(wallet, status=status), kind)

    def close(self, account_id: str) -> WalletView | Refusal:
        """Closes a wallet whose balance is 0."""
        wallet = self.wallets.get(account_id)
        if wallet is None:
            return Refusal.WALLET_NOT_FOUND
        if wallet.balance_micros:
            return Refusal.WALLET_NOT_EMPTY
        return (
            wallet if wallet.status == "closed" else self._enter(replace(wallet, status="closed"), "closed")
        )

    def _post(self, transfer: Transfer) -> None:
        if transfer.kind == "opening":
            wallet = WalletView(transfer.to_account, transfer.currency, 0, 0, "active", self.now)
            self.wallets[wallet.account_id] = self.opened[wallet.account_id] = wallet
        sides = (
            (transfer.from_account, -transfer.amount_micros, transfer.to_account),
            (transfer.to_account, transfer.amount_micros, transfer.from_account),
        )
        for account, amount_micros, counterparty in sides:
            if account == EXTERNAL:
                self.external[transfer.currency] += amount_micros
            else:
                wallet = self.wallets[account]
                wallet = replace(wallet, balance_micros=wallet.balance_micros + amount_micros)
                self._enter(wallet, transfer.kind, transfer, amount_micros, counterparty)

    def _enter(
        self,
        wallet: WalletView,
        kind: str,
        transfer: Transfer | None = None,
        amount_micros: int = 0,
        counterparty: str | None = None,
    ) -> WalletView:
        """Adds a version of the wallet and its ledger entry. Its time never precedes the version before it."""
        wallet = replace(wallet, version=wallet.version + 1, updated_at=max(self.now, wallet.updated_at))
        name = wallet.account_id
        self.wallets[name] = wallet
        (self.opened if name in self.opened else self.changed)[name] = wallet
        transaction_id = transfer.transaction_id if transfer else None
        self.entries.append(
            Entry(
                name,
                wallet.version,
                kind,
                transaction_id,
                amount_micros,
                wallet.balance_micros,
                counterparty,
                wallet.updated_at,
            )
        )
        return wallet


def refusal(wallets: dict[str, WalletView], command: MoveMoney) -> tuple[Refusal, str] | None:
    """Returns why a command is refused and by which wallet, or None. The payer's reasons come first."""
    payer, payee = command.from_account, command.to_account
    if command.kind == "opening":
        return (Refusal.WALLET_EXISTS, payee) if payee in wallets else None
    if payer != EXTERNAL and (reason := _refuse_payment(wallets.get(payer), command)):
        return reason, payer
    if payee != EXTERNAL and (reason := _refuse_receipt(wallets.get(payee), command)):
        return reason, payee
    return None


def _refuse_payment(wallet: WalletView | None, command: MoveMoney) -> Refusal | None:
    if reason := _refuse_posting(wallet, command.currency):
        return reason
    poor = wallet is not None and wallet.balance_micros < command.amount_micros
    return Refusal.INSUFFICIENT_FUNDS if poor else None


def _refuse_receipt(wallet: WalletView | None, command: MoveMoney) -> Refusal | None:
    if reason := _refuse_posting(wallet, command.currency):
        return reason
    full = wallet is not None and wallet.balance_micros + command.amount_micros > AMOUNT_MAX_MICROS
    return Refusal.BALANCE_LIMIT if full else None


def _refuse_posting(wallet: WalletView | None, currency: str) -> Refusal | None:
    if wallet is None:
        return Refusal.WALLET_NOT_FOUND
    if wallet.status == "closed":
        return Refusal.WALLET_CLOSED
    if wallet.status == "frozen":
        return Refusal.WALLET_FROZEN
    return Refusal.CURRENCY_MISMATCH if wallet.currency != currency else None
