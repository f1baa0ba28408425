"""Folds the events of a partition into the rows of a read model. Pure, no I/O.

The projection and the rebuild use the same function, so both produce the same rows.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from msgspec import Struct

from wallet_cqrs.domain.wallet import ImpossibleEvent, Wallet, evolve, initial_state
from wallet_cqrs.events import BalanceCredited, BalanceDebited, Event, WalletOpened, decode
from wallet_cqrs.messages import EventMessage
from wallet_kernel.accounts import EXTERNAL, TRANSIT
from wallet_kernel.contract.responses import WalletView

LIVE_SCHEMA = "read_model"

Kind = Literal["opening", "transfer", "deposit", "withdrawal"]


class Checkpoint(NamedTuple):
    """The log position and epoch that a read model has reached. The epoch is None before the first one."""

    position: int
    epoch: UUID | None = None


class Posting(Struct, frozen=True, gc=False):
    """Money that entered a wallet (+) or left it (-), and the balance after it."""

    account_id: str
    version: int
    kind: Kind
    transaction_id: UUID
    amount_micros: int
    balance_micros: int
    counterparty: str
    at: datetime


class Fold:
    """Applies events to wallets, and collects the postings and the changes of the system accounts.

    `changed` has the changed wallets, and `before`, in the same order, their states before the first change.
    """

    def __init__(self, wallets: Iterable[Wallet]) -> None:
        self._wallets = {wallet.account_id: wallet for wallet in wallets}
        self.before: dict[str, Wallet] = {}
        self.changed: dict[str, Wallet] = {}
        self.postings: list[Posting] = []
        self.system_changes: dict[tuple[str, str], int] = defaultdict(int)

    @property
    def wallets(self) -> list[Wallet]:
        """All wallets after the events applied so far."""
        return list(self._wallets.values())

    def apply(self, events: Iterable[EventMessage]) -> None:
        """Applies the events in order. Raises UndecodableEvent or ImpossibleEvent."""
        for message in events:
            before = self._wallets.get(message.stream_id) or initial_state(message.stream_id)
            if message.version != before.version + 1:
                raise ImpossibleEvent(f"event {message.position} is version {message.version} of {before}")
            event = decode(message.type, message.schema_version, message.data)
            after = evolve(before, event, message.at)
            self.before.setdefault(message.stream_id, before)
            self._wallets[message.stream_id] = self.changed[message.stream_id] = after
            if amount_micros := after.balance_micros - before.balance_micros:
                self.postings.append(_posting(message, event, after, amount_micros))
                self._balance(event, after.currency)

    def _balance(self, event: Event, currency: str) -> None:
        """Uses the amount in the event, so that the ledger check finds a difference from the wallet's balance."""
        match event:
            case WalletOpened(balance_micros=amount):
                self.system_changes[EXTERNAL, currency] -= amount
            case BalanceCredited(amount_micros=amount, kind=kind):
                self.system_changes[TRANSIT if kind == "transfer" else EXTERNAL, currency] -= amount
            case BalanceDebited(amount_micros=amount, kind=kind):
                self.system_changes[TRANSIT if kind == "transfer" else EXTERNAL, currency] += amount


def _posting(message: EventMessage, event: Event, after: Wallet, amount_micros: int) -> Posting:
    if message.transaction_id is None:
        raise ImpossibleEvent(f"event {message.position} moves money without a transaction")
    kind: Kind = "opening"
    counterparty = EXTERNAL
    if isinstance(event, BalanceDebited | BalanceCredited):
        kind, counterparty = event.kind, event.counterparty
    return Posting(
        account_id=message.stream_id,
        version=message.version,
        kind=kind,
        transaction_id=message.transaction_id,
        amount_micros=amount_micros,
        balance_micros=after.balance_micros,
        counterparty=counterparty,
        at=message.at,
    )


def wallet_view(wallet: Wallet) -> WalletView:
    """Returns the fields of a wallet that clients see."""
    return WalletView(
        account_id=wallet.account_id,
        currency=wallet.currency,
        balance_micros=wallet.balance_micros,
        version=wallet.version,
        status=wallet.status,
        updated_at=wallet.updated_at,
    )
