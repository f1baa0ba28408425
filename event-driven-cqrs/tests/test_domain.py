"""Specifications of the decider: given events, when a command comes, then events or a refusal."""

from datetime import UTC, datetime

import pytest

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
from wallet_cqrs.domain.decisions import Decision, Refused, decide
from wallet_cqrs.domain.wallet import ImpossibleEvent, Wallet, evolve, initial_state
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

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)

OPENED = WalletOpened("USD", 100)
EMPTY = WalletOpened("USD", 0)
CLOSED = (EMPTY, WalletClosed())
TRANSFER = TransferMoney("alice", "bob", 40, "USD")


def fold(account_id: str, events: tuple[Event, ...]) -> Wallet:
    """Returns the wallet after these events."""
    wallet = initial_state(account_id)
    for event in events:
        wallet = evolve(wallet, event, AT)
    return wallet


def given(**streams: tuple[Event, ...]) -> "Given":
    """Returns the wallets after these events."""
    return Given({account: fold(account, events) for account, events in streams.items()})


class Given:
    def __init__(self, wallets: dict[str, Wallet]) -> None:
        self._wallets = wallets

    def when(self, command: Command) -> "When":
        return When(decide(lambda account: self._wallets.get(account) or initial_state(account), command))


class When:
    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    def then(self, *happened: tuple[str, Event]) -> None:
        assert self._decision == happened

    def then_refused(self, reason: Refusal, by: str) -> None:
        assert self._decision == Refused(reason, by)


def test_a_transfer_is_one_decision_with_both_events() -> None:
    """A transfer is one decision with the payer's debit and then the payee's credit."""
    given(alice=(OPENED,), bob=(EMPTY,)).when(TRANSFER).then(
        ("alice", BalanceDebited(40, "transfer", "bob")),
        ("bob", BalanceCredited(40, "transfer", "alice")),
    )


def test_whole_balance_can_be_paid() -> None:
    """A payment may reduce the balance to 0."""
    given(alice=(WalletOpened("USD", 40),), bob=(EMPTY,)).when(TRANSFER).then(
        ("alice", BalanceDebited(40, "transfer", "bob")),
        ("bob", BalanceCredited(40, "transfer", "alice")),
    )


FULL = WalletOpened("USD", AMOUNT_MAX_MICROS - 39)
EUROS = WalletOpened("EUR", 100)
FROZEN = (OPENED, WalletFrozen())


@pytest.mark.parametrize(
    ("alice", "bob", "reason", "by"),
    [
        ((), (EMPTY,), Refusal.WALLET_NOT_FOUND, "alice"),
        (CLOSED, (EMPTY,), Refusal.WALLET_CLOSED, "alice"),
        (FROZEN, (EMPTY,), Refusal.WALLET_FROZEN, "alice"),
        ((EUROS,), (EMPTY,), Refusal.CURRENCY_MISMATCH, "alice"),
        ((WalletOpened("USD", 39),), (EMPTY,), Refusal.INSUFFICIENT_FUNDS, "alice"),
        ((OPENED,), (), Refusal.WALLET_NOT_FOUND, "bob"),
        ((OPENED,), CLOSED, Refusal.WALLET_CLOSED, "bob"),
        ((OPENED,), FROZEN, Refusal.WALLET_FROZEN, "bob"),
        ((OPENED,), (EUROS,), Refusal.CURRENCY_MISMATCH, "bob"),
        ((OPENED,), (FULL,), Refusal.BALANCE_LIMIT, "bob"),
        # The order of the checks: payer, then payee; for each wallet closed, frozen, currency, then funds or limit.
        ((), (), Refusal.WALLET_NOT_FOUND, "alice"),
        ((WalletOpened("USD", 1),), (), Refusal.INSUFFICIENT_FUNDS, "alice"),
        ((WalletOpened("EUR", 0), WalletFrozen(), WalletClosed()), (), Refusal.WALLET_CLOSED, "alice"),
        ((WalletOpened("EUR", 0), WalletFrozen()), (), Refusal.WALLET_FROZEN, "alice"),
        ((WalletOpened("EUR", 0),), (), Refusal.CURRENCY_MISMATCH, "alice"),
    ],
)
def test_refused_transfer_names_the_first_failed_check(
    alice: tuple[Event, ...], bob: tuple[Event, ...], reason: Refusal, by: str
) -> None:
    """A refused transfer names the reason and the wallet of the first failed check."""
    given(alice=alice, bob=bob).when(TRANSFER).then_refused(reason, by)


def test_opening_a_wallet_is_one_event() -> None:
    """Opening a wallet is one event, with or without a balance."""
    given().when(OpenWallet("alice", 100, "USD")).then(("alice", OPENED))
    given().when(OpenWallet("alice", 0, "USD")).then(("alice", EMPTY))


@pytest.mark.parametrize("history", [(OPENED,), FROZEN, CLOSED])
def test_a_name_is_used_once(history: tuple[Event, ...]) -> None:
    """A wallet cannot be opened with a name that is or was in use."""
    given(alice=history).when(OpenWallet("alice", 5, "USD")).then_refused(Refusal.WALLET_EXISTS, "alice")


def test_deposits_and_withdrawals_are_against_the_external_account() -> None:
    """The counterparty of deposits and withdrawals is @external."""
    given(alice=(OPENED,)).when(Deposit("alice", 7, "USD")).then(
        ("alice", BalanceCredited(7, "deposit", EXTERNAL))
    )
    given(alice=(OPENED,)).when(Withdraw("alice", 7, "USD")).then(
        ("alice", BalanceDebited(7, "withdrawal", EXTERNAL))
    )


@pytest.mark.parametrize(
    ("history", "command", "reason"),
    [
        ((), Deposit("alice", 1, "USD"), Refusal.WALLET_NOT_FOUND),
        (CLOSED, Deposit("alice", 1, "USD"), Refusal.WALLET_CLOSED),
        (FROZEN, Deposit("alice", 1, "USD"), Refusal.WALLET_FROZEN),
        ((OPENED,), Deposit("alice", 1, "EUR"), Refusal.CURRENCY_MISMATCH),
        ((FULL,), Deposit("alice", 40, "USD"), Refusal.BALANCE_LIMIT),
        ((), Withdraw("alice", 1, "USD"), Refusal.WALLET_NOT_FOUND),
        (CLOSED, Withdraw("alice", 1, "USD"), Refusal.WALLET_CLOSED),
        (FROZEN, Withdraw("alice", 1, "USD"), Refusal.WALLET_FROZEN),
        ((OPENED,), Withdraw("alice", 1, "EUR"), Refusal.CURRENCY_MISMATCH),
        ((OPENED,), Withdraw("alice", 101, "USD"), Refusal.INSUFFICIENT_FUNDS),
        ((), FreezeWallet("alice"), Refusal.WALLET_NOT_FOUND),
        (CLOSED, FreezeWallet("alice"), Refusal.WALLET_CLOSED),
        ((), UnfreezeWallet("alice"), Refusal.WALLET_NOT_FOUND),
        (CLOSED, UnfreezeWallet("alice"), Refusal.WALLET_CLOSED),
        ((), CloseWallet("alice"), Refusal.WALLET_NOT_FOUND),
        ((OPENED,), CloseWallet("alice"), Refusal.WALLET_NOT_EMPTY),
        (FROZEN, CloseWallet("alice"), Refusal.WALLET_NOT_EMPTY),
    ],
)
def test_refused_command_on_one_wallet_has_its_reason(
    history: tuple[Event, ...], command: Command, reason: Refusal
) -> None:
    """Every command on one wallet is refused with its reason."""
    given(alice=history).when(command).then_refused(reason, "alice")


@pytest.mark.parametrize(
    ("history", "command", "event"),
    [
        ((OPENED,), FreezeWallet("alice"), WalletFrozen()),
        (FROZEN, UnfreezeWallet("alice"), WalletUnfrozen()),
        ((EMPTY,), CloseWallet("alice"), WalletClosed()),
        ((EMPTY, WalletFrozen()), CloseWallet("alice"), WalletClosed()),
    ],
)
def test_a_status_changes_by_one_event(history: tuple[Event, ...], command: Command, event: Event) -> None:
    """A change of status is one event. An empty frozen wallet can be closed."""
    given(alice=history).when(command).then(("alice", event))


@pytest.mark.parametrize(
    ("history", "command"),
    [
        (FROZEN, FreezeWallet("alice")),
        ((OPENED,), UnfreezeWallet("alice")),
        (CLOSED, CloseWallet("alice")),
    ],
)
def test_unchanged_status_is_no_event(history: tuple[Event, ...], command: Command) -> None:
    """If the wallet already has the status, there is no event and the version stays."""
    given(alice=history).when(command).then()


@pytest.mark.parametrize(
    ("history", "event"),
    [
        ((OPENED,), OPENED),
        ((), WalletOpened("USD", -1)),
        ((), BalanceCredited(1, "deposit", EXTERNAL)),
        ((OPENED,), BalanceDebited(101, "transfer", "bob")),
        ((OPENED,), BalanceDebited(-1, "transfer", "bob")),
        ((OPENED,), BalanceCredited(0, "transfer", "bob")),
        ((OPENED,), BalanceCredited(AMOUNT_MAX_MICROS, "transfer", "bob")),
        (FROZEN, BalanceCredited(1, "transfer", "bob")),
        (FROZEN, WalletFrozen()),
        ((OPENED,), WalletUnfrozen()),
        ((OPENED,), WalletClosed()),
        (CLOSED, WalletClosed()),
        ((), Event()),
    ],
)
def test_impossible_event_is_not_folded(history: tuple[Event, ...], event: Event) -> None:
    """If an event contradicts the wallet's state, folding raises an error."""
    wallet = fold("alice", history)
    with pytest.raises(ImpossibleEvent):
        evolve(wallet, event, AT)
