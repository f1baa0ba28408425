"""A read model's rows, and how the events of a partition become them: pure, no I/O.

The projection and the rebuild fold with the same function, so that both come to the same rows.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from msgspec import Struct

from wallet_cqrs.domain.wallet import ImpossibleEvent, Wallet, evolve, initial_state
from wallet_cqrs.events import EXTERNAL, BalanceCredited, BalanceDebited, Event, WalletOpened, decode
from wallet_cqrs.messages import EventMessage
from wallet_kernel.contract.answers import WalletView

LIVE_SCHEMA = "read_model"

TRANSIT = "@transit"
"""The other side of transfers: each read shard has one, and over all of them it holds nothing."""

Kind = Literal["opening", "transfer", "deposit", "withdrawal"]


class Checkpoint(NamedTuple):
    """How far a read model has read the log, and in which epoch; None is before there were epochs."""

    position: int
    epoch: UUID | None = None


class Posting(Struct, frozen=True, gc=False):
    """Money that came into a wallet (+) or left it (-), and the balance after it."""

    account_id: str
    version: int
    kind: Kind
    transaction_id: UUID
    amount_micros: int
    balance_micros: int
    counterparty: str
    at: datetime


class Fold:
    """Wallets on which events are played, the postings these events are, and the other side of each."""

    def __init__(self, wallets: Iterable[Wallet]) -> None:
        self._wallets = {wallet.account_id: wallet for wallet in wallets}
        self.changed: dict[str, Wallet] = {}
        self.postings: list[Posting] = []
        self.system_changes: dict[tuple[str, str], int] = defaultdict(int)

    @property
    def wallets(self) -> list[Wallet]:
        """All wallets there are, as they stand."""
        return list(self._wallets.values())

    def play(self, events: Iterable[EventMessage]) -> None:
        """Applies the events in order. Raises UndecodableEvent or ImpossibleEvent."""
        for message in events:
            before = self._wallets.get(message.stream_id) or initial_state(message.stream_id)
            if message.version != before.version + 1:
                raise ImpossibleEvent(f"event {message.position} is version {message.version} of {before}")
            event = decode(message.type, message.schema_version, message.data)
            after = evolve(before, event, message.at)
            self._wallets[message.stream_id] = self.changed[message.stream_id] = after
            if amount_micros := after.balance_micros - before.balance_micros:
                self.postings.append(_posting(message, event, after, amount_micros))
                self._balance(event, after.currency)

    def _balance(self, event: Event, currency: str) -> None:
        """By what the event says, not by what became of the wallet: so that the books notice if these differ."""
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
        message.stream_id,
        message.version,
        kind,
        message.transaction_id,
        amount_micros,
        after.balance_micros,
        counterparty,
        message.at,
    )


def wallet_view(wallet: Wallet) -> WalletView:
    """What clients see of a wallet."""
    return WalletView(
        wallet.account_id,
        wallet.currency,
        wallet.balance_micros,
        wallet.version,
        wallet.status,
        wallet.updated_at,
    )
