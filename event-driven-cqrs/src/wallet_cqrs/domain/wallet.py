"""The state of a wallet: `initial_state`, and `evolve`, which applies one event."""

from collections.abc import Callable
from datetime import UTC, datetime
from sys import intern
from typing import Any, Literal

from msgspec import Struct

from wallet_cqrs.events import (
    BalanceCredited,
    BalanceDebited,
    Event,
    WalletClosed,
    WalletFrozen,
    WalletOpened,
    WalletUnfrozen,
)
from wallet_kernel.money import AMOUNT_MAX_MICROS

Status = Literal["absent", "active", "frozen", "closed"]

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

STATE_SCHEMA = 1
"""The schema version of snapshots. Increment it if `Wallet` or `evolve` changes: other versions are ignored."""


class Wallet(Struct, frozen=True, gc=False):
    """A wallet after its first `version` events. Version 0 means that it was never opened.

    `updated_at` is the time of the last event.
    """

    account_id: str
    currency: str
    status: Status
    balance_micros: int
    version: int
    updated_at: datetime


def initial_state(account_id: str) -> Wallet:
    """Returns the state of a wallet that was never opened."""
    return Wallet(
        account_id=account_id,
        currency="",
        status="absent",
        balance_micros=0,
        version=0,
        updated_at=_BEGINNING,
    )


class ImpossibleEvent(Exception):
    """The event contradicts the wallet's state: the log or the code that reads it has a defect."""


def evolve(wallet: Wallet, event: Event, at: datetime) -> Wallet:
    """Returns the wallet after an event. Raises ImpossibleEvent if the event contradicts its state."""
    evolution = _EVOLUTIONS.get(type(event))
    if evolution is None:
        raise ImpossibleEvent(f"unknown event type {type(event).__name__}")
    return evolution(wallet, event, at)


def _opened(wallet: Wallet, event: WalletOpened, at: datetime) -> Wallet:
    if wallet.version or not 0 <= event.balance_micros <= AMOUNT_MAX_MICROS:
        raise ImpossibleEvent(f"{event} on {wallet}")
    return Wallet(
        account_id=wallet.account_id,
        currency=intern(event.currency),  # one string for all wallets in memory
        status="active",
        balance_micros=event.balance_micros,
        version=1,
        updated_at=at,
    )


def _debited(wallet: Wallet, event: BalanceDebited, at: datetime) -> Wallet:
    return _posted(wallet, event.amount_micros, -1, at)


def _credited(wallet: Wallet, event: BalanceCredited, at: datetime) -> Wallet:
    return _posted(wallet, event.amount_micros, 1, at)


def _posted(wallet: Wallet, amount_micros: int, sign: Literal[1, -1], at: datetime) -> Wallet:
    balance_micros = wallet.balance_micros + sign * amount_micros
    if wallet.status != "active" or amount_micros <= 0 or not 0 <= balance_micros <= AMOUNT_MAX_MICROS:
        raise ImpossibleEvent(f"a posting of {sign * amount_micros} micros on {wallet}")
    return Wallet(
        account_id=wallet.account_id,
        currency=wallet.currency,
        status="active",
        balance_micros=balance_micros,
        version=wallet.version + 1,
        updated_at=at,
    )


def _frozen(wallet: Wallet, _: WalletFrozen, at: datetime) -> Wallet:
    return _with_status(wallet, "active", "frozen", at)


def _unfrozen(wallet: Wallet, _: WalletUnfrozen, at: datetime) -> Wallet:
    return _with_status(wallet, "frozen", "active", at)


def _with_status(wallet: Wallet, expected: Status, status: Status, at: datetime) -> Wallet:
    if wallet.status != expected:
        raise ImpossibleEvent(f"status {status} is not possible after {wallet}")
    return Wallet(
        account_id=wallet.account_id,
        currency=wallet.currency,
        status=status,
        balance_micros=wallet.balance_micros,
        version=wallet.version + 1,
        updated_at=at,
    )


def _closed(wallet: Wallet, _: WalletClosed, at: datetime) -> Wallet:
    if wallet.status not in ("active", "frozen") or wallet.balance_micros:
        raise ImpossibleEvent(f"status closed is not possible after {wallet}")
    return Wallet(
        account_id=wallet.account_id,
        currency=wallet.currency,
        status="closed",
        balance_micros=0,
        version=wallet.version + 1,
        updated_at=at,
    )


_EVOLUTIONS: dict[type[Event], Callable[[Wallet, Any, datetime], Wallet]] = {
    WalletOpened: _opened,
    BalanceDebited: _debited,
    BalanceCredited: _credited,
    WalletFrozen: _frozen,
    WalletUnfrozen: _unfrozen,
    WalletClosed: _closed,
}
