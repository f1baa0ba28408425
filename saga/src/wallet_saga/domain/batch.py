"""One batch of commands: the keys of its rows, its copy of these rows, and its changes.

The store builds the batch from the rows of `BatchKeys`. `decisions.decide` then decides the commands one after the
other on the batch. The store writes the changes as one statement, and the database dates them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Self
from uuid import UUID

from msgspec.structs import replace

from wallet_kernel.accounts import key_owner
from wallet_kernel.refusals import Refusal
from wallet_saga.domain.commands import (
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Deposit,
    Message,
    OpenWallet,
    Outcome,
    ReadWallet,
    RefundTransfer,
    Replayed,
    TransferRecord,
    TransferState,
    WalletState,
    Withdraw,
    accounts_of,
)
from wallet_saga.domain.wallet import Wallet

PostingKind = Literal["opening", "transfer", "refund", "deposit", "withdrawal"]
StatusKind = Literal["frozen", "unfrozen", "closed"]

UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a change that the database has not dated yet. It is earlier than all times in the database."""

_PAYMENTS = (DebitWallet, OpenWallet, Deposit, Withdraw)
_ENDINGS = (CompleteTransfer, RefundTransfer)


class CreditRecord(Message):
    """A row of the credit barrier. `reason` is None if the payee was credited."""

    transaction_id: UUID
    reason: Refusal | None
    at: datetime


class LedgerEntry(Message):
    """A posting or a status change (amount 0), with the wallet's balance after it."""

    account_id: str
    version: int
    kind: str
    transaction_id: UUID | None
    amount_micros: int
    balance_micros: int
    counterparty: str | None
    at: datetime


@dataclass(slots=True)
class BatchKeys:
    """The keys of the rows that a batch reads or changes.

    `accounts` are the accounts of all wallets. Clients read those in `read`. The balances of those in `posted` may
    change. `begun` and `ended` are ids in the saga log: of payments that begin, and of sagas that end. `idempotency`
    are pairs of owner and idempotency key, and `credits` are transaction ids in the credit barrier.
    """

    accounts: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    posted: set[str] = field(default_factory=set)
    begun: set[UUID] = field(default_factory=set)
    ended: set[UUID] = field(default_factory=set)
    idempotency: set[tuple[str, str]] = field(default_factory=set)
    credits: set[UUID] = field(default_factory=set)

    @classmethod
    def of(cls, commands: Iterable[Command]) -> Self:
        """Returns the keys of all rows that these commands read or change."""
        keys = cls()
        for command in commands:
            keys._add(command)
        keys.posted -= keys.read
        return keys

    def __bool__(self) -> bool:
        """Returns whether there is any key."""
        return bool(self.accounts or self.begun or self.ended or self.idempotency or self.credits)

    def _add(self, command: Command) -> None:
        accounts = accounts_of(command)
        self.accounts.update(accounts)
        if isinstance(command, ReadWallet):
            self.read.update(accounts)
        elif not isinstance(command, CompleteTransfer):  # it changes no balance
            self.posted.update(accounts)
        if isinstance(command, CreditWallet):
            self.credits.add(command.transaction_id)
        elif isinstance(command, _ENDINGS):
            self.ended.add(command.transaction_id)
        elif isinstance(command, _PAYMENTS):
            self.begun.add(command.transaction_id)
            if command.key is not None:
                self.idempotency.add((command.account_id, command.key))


@dataclass(slots=True)
class Batch:
    """The rows of the batch, by key, and the rows that it adds or changes. `now` is the time of its changes."""

    now: datetime
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
        wallets: Iterable[WalletState] = (),
        transfers: Iterable[TransferRecord] = (),
        barrier: Iterable[CreditRecord] = (),
    ) -> Self:
        """Returns a batch with copies of these rows and no changes."""
        batch = cls(now)
        batch.wallets = {wallet.account_id: Wallet.of(wallet) for wallet in wallets}
        batch.credits = {credit.transaction_id: credit for credit in barrier}
        for transfer in transfers:
            batch._index(transfer)
        return batch

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

    def first_with(self, transaction_id: UUID, owner: str, key: str | None) -> TransferRecord | None:
        """Returns the logged transfer with this id, or with this idempotency key of the owner, or None."""
        known = self.transfers.get(transaction_id)
        if known is None and key is not None:
            first = self.keys.get((owner, key))
            known = self.transfers[first] if first else None
        return known

    def log(self, transfer: TransferRecord) -> None:
        """Adds a transfer to the saga log."""
        self.new_transfers[transfer.transaction_id] = transfer
        self._index(transfer)

    def end(self, transfer: TransferRecord, state: TransferState, reason: Refusal | None = None) -> None:
        """Ends an open saga in the given state."""
        transaction_id = transfer.transaction_id
        ended = replace(transfer, state=state, reason=reason, ended_at=self.now)
        new = self.new_transfers if transaction_id in self.new_transfers else self.ended_transfers
        new[transaction_id] = self.transfers[transaction_id] = ended

    def remember_credit(self, transaction_id: UUID, reason: Refusal | None) -> None:
        """Adds the barrier row of a credit. `reason` is the refusal, or None if the payee is credited."""
        credit = CreditRecord(transaction_id, reason, self.now)
        self.credits[transaction_id] = credit
        self.new_credits.append(credit)

    def open(self, account_id: str, currency: str) -> Wallet:
        """Adds and returns a new wallet at version 0. Its opening posting makes version 1."""
        wallet = Wallet(
            account_id=account_id,
            currency=currency,
            status="active",
            balance_micros=0,
            in_flight_micros=0,
            version=0,
            updated_at=self.now,
        )
        self.wallets[account_id] = wallet
        return wallet

    def post(
        self,
        wallet: Wallet,
        amount_micros: int,
        kind: PostingKind,
        *,
        transaction_id: UUID,
        counterparty: str,
        against: str,
    ) -> None:
        """Moves money between a wallet and the system account `against`. Adds a ledger entry and a wallet version."""
        wallet.balance_micros += amount_micros
        if amount_micros:
            self.system_changes[against, wallet.currency] -= amount_micros
        self._enter(wallet, kind, amount_micros, transaction_id, counterparty)

    def change_status(self, wallet: Wallet, status: str, kind: StatusKind) -> None:
        """Changes the wallet's status. Adds a wallet version and a ledger entry with amount 0."""
        wallet.status = status
        self._enter(wallet, kind, 0, None, None)

    def date(self, now: datetime, outcomes: Iterable[Outcome]) -> None:
        """Sets the times of the changes, and of the outcomes that show them, to the time at which they were written."""
        for outcome in outcomes:
            self._date_outcome(outcome, now)
        for transfer in (*self.new_transfers.values(), *self.ended_transfers.values()):
            self._date_transfer(transfer, now)
        for credit in self.new_credits:
            credit.at = now
        for wallet in self.wallets.values():
            if wallet.has_new_version:
                wallet.updated_at = max(now, wallet.updated_at)

    def _date_outcome(self, outcome: Outcome, now: datetime) -> None:
        if isinstance(outcome, Replayed):
            self._date_transfer(outcome.transfer, now)
        elif isinstance(outcome, WalletState) and self._is_new(outcome):
            outcome.updated_at = max(now, outcome.updated_at)

    def _is_new(self, state: WalletState) -> bool:
        return state.version > self.wallets[state.account_id].loaded_version

    def _date_transfer(self, transfer: TransferRecord, now: datetime) -> None:
        if transfer.started_at == self.now:
            transfer.started_at = now
        if transfer.ended_at == self.now:
            transfer.ended_at = now

    def _enter(
        self,
        wallet: Wallet,
        kind: PostingKind | StatusKind,
        amount_micros: int,
        transaction_id: UUID | None,
        counterparty: str | None,
    ) -> None:
        wallet.version += 1
        # Because the clock may be set back, never take a time before the wallet's last change.
        wallet.updated_at = max(self.now, wallet.updated_at)
        self.new_entries.append(
            LedgerEntry(
                account_id=wallet.account_id,
                version=wallet.version,
                kind=kind,
                transaction_id=transaction_id,
                amount_micros=amount_micros,
                balance_micros=wallet.balance_micros,
                counterparty=counterparty,
                at=wallet.updated_at,
            )
        )

    def _index(self, transfer: TransferRecord) -> None:
        self.transfers[transfer.transaction_id] = transfer
        if transfer.key is not None:
            owner = key_owner(transfer.from_account, transfer.to_account)
            self.keys[owner, transfer.key] = transfer.transaction_id
