"""The rows of a shard that one batch loaded, and the changes of the batch. Pure, no I/O.

The store loads the rows that the batch needs. `steps.decide` then decides the steps one after the other on these books.
The store writes the changes in the same transaction.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from wallet_kernel.accounts import key_owner
from wallet_kernel.refusals import Refusal
from wallet_saga.messages import (
    CreditRecord,
    LedgerEntry,
    TransferRecord,
    TransferState,
    WalletState,
)

PostingKind = Literal["opening", "transfer", "refund", "deposit", "withdrawal"]
StatusKind = Literal["frozen", "unfrozen", "closed"]


@dataclass(slots=True)
class Wallet:
    """A wallet while a batch works on it. `loaded_version` is 0 if the batch opens the wallet."""

    account_id: str
    currency: str
    status: str
    balance_micros: int
    in_flight_micros: int
    version: int
    updated_at: datetime
    loaded_version: int = 0
    loaded_balance_micros: int = 0
    loaded_in_flight_micros: int = 0

    @classmethod
    def loaded(cls, state: WalletState) -> "Wallet":
        """Returns the wallet as the database stores it."""
        return cls(
            state.account_id,
            state.currency,
            state.status,
            state.balance_micros,
            state.in_flight_micros,
            state.version,
            state.updated_at,
            state.version,
            state.balance_micros,
            state.in_flight_micros,
        )

    @property
    def balance_delta(self) -> int:
        """The micros that the batch added to the balance."""
        return self.balance_micros - self.loaded_balance_micros

    @property
    def in_flight_delta(self) -> int:
        """The micros that the batch added to the amount in flight."""
        return self.in_flight_micros - self.loaded_in_flight_micros

    @property
    def changed(self) -> bool:
        """Whether the batch changed this wallet."""
        return self.version != self.loaded_version or self.in_flight_delta != 0

    def state(self) -> WalletState:
        """Returns the current state of the wallet."""
        return WalletState(
            self.account_id,
            self.currency,
            self.status,
            self.balance_micros,
            self.in_flight_micros,
            self.version,
            self.updated_at,
        )


@dataclass(slots=True)
class Books:
    """The loaded rows of a batch, by key, and the rows that the batch adds or changes. `now` is the database's time."""

    now: datetime
    lease: timedelta
    wallets: dict[str, Wallet] = field(default_factory=dict)
    transfers: dict[UUID, TransferRecord] = field(default_factory=dict)
    keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    credits: dict[UUID, CreditRecord] = field(default_factory=dict)
    new_entries: list[LedgerEntry] = field(default_factory=list)
    new_transfers: dict[UUID, TransferRecord] = field(default_factory=dict)
    ended_transfers: dict[UUID, TransferRecord] = field(default_factory=dict)
    new_credits: list[CreditRecord] = field(default_factory=list)
    system_changes: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(
        cls,
        now: datetime,
        lease: timedelta,
        wallets: Iterable[WalletState],
        transfers: Iterable[TransferRecord],
        barrier: Iterable[CreditRecord],
    ) -> "Books":
        """Returns the books with the loaded rows and no changes."""
        books = cls(now, lease)
        books.wallets = {wallet.account_id: Wallet.loaded(wallet) for wallet in wallets}
        books.credits = {credit.transfer_id: credit for credit in barrier}
        for transfer in transfers:
            books._index(transfer)
        return books

    @property
    def changed(self) -> bool:
        """Whether the batch has changes to write."""
        return bool(
            self.new_entries
            or self.new_transfers
            or self.ended_transfers
            or self.new_credits
            or self.system_changes
        )

    def first_with(self, transfer_id: UUID, owner: str, key: str | None) -> TransferRecord | None:
        """Returns the logged transfer with this id, or with this idempotency key of the owner, or None."""
        known = self.transfers.get(transfer_id)
        if known is None and key is not None:
            first = self.keys.get((owner, key))
            known = self.transfers[first] if first else None
        return known

    def log(self, transfer: TransferRecord) -> None:
        """Adds a transfer to the saga log."""
        self.new_transfers[transfer.transfer_id] = transfer
        self._index(transfer)

    def end(self, transfer: TransferRecord, state: TransferState, reason: Refusal | None = None) -> None:
        """Ends an open saga in the given state."""
        ended = TransferRecord(
            transfer.transfer_id,
            transfer.kind,
            state,
            transfer.from_account,
            transfer.to_account,
            transfer.amount_micros,
            transfer.currency,
            transfer.key,
            transfer.fingerprint,
            reason,
            transfer.started_at,
            self.now,
        )
        new = self.new_transfers if transfer.transfer_id in self.new_transfers else self.ended_transfers
        new[transfer.transfer_id] = ended
        self.transfers[transfer.transfer_id] = ended

    def remember_credit(self, transfer_id: UUID, reason: Refusal | None) -> None:
        """Adds the barrier row of a credit step. `reason` is the refusal, or None if the payee is credited."""
        credit = CreditRecord(transfer_id, reason, self.now)
        self.credits[transfer_id] = credit
        self.new_credits.append(credit)

    def open(self, account_id: str, currency: str) -> Wallet:
        """Adds and returns a new wallet at version 0. Its opening posting makes version 1."""
        wallet = Wallet(account_id, currency, "active", 0, 0, 0, self.now)
        self.wallets[account_id] = wallet
        return wallet

    def post(
        self,
        wallet: Wallet,
        amount_micros: int,
        kind: PostingKind,
        transfer_id: UUID,
        counterparty: str,
        against: str,
    ) -> None:
        """Moves money between a wallet and the system account `against`. Adds a ledger entry and a wallet version."""
        wallet.balance_micros += amount_micros
        if amount_micros:
            self.system_changes[against, wallet.currency] -= amount_micros
        self._enter(wallet, kind, transfer_id, amount_micros, counterparty)

    def change_status(self, wallet: Wallet, status: str, kind: StatusKind) -> None:
        """Changes the wallet's status. Adds a wallet version and a ledger entry with amount 0."""
        wallet.status = status
        self._enter(wallet, kind, None, 0, None)

    def _enter(
        self,
        wallet: Wallet,
        kind: PostingKind | StatusKind,
        transfer_id: UUID | None,
        amount_micros: int,
        counterparty: str | None,
    ) -> None:
        wallet.version += 1
        # Because the clock may be set back, never take a time before the wallet's last change.
        wallet.updated_at = max(self.now, wallet.updated_at)
        self.new_entries.append(
            LedgerEntry(
                wallet.account_id,
                wallet.version,
                kind,
                transfer_id,
                amount_micros,
                wallet.balance_micros,
                counterparty,
                wallet.updated_at,
            )
        )

    def _index(self, transfer: TransferRecord) -> None:
        self.transfers[transfer.transfer_id] = transfer
        if transfer.key is not None:
            self.keys[key_owner(transfer.from_account, transfer.to_account), transfer.key] = (
                transfer.transfer_id
            )
