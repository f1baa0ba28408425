"""Scenes after an honest run of the saga: the same events, with an honest and with a wrong answer."""

from collections.abc import Callable

from lab_support.honest_history import History, Row, Wallet

SEED = 7
LATER_US = 10_000_000
_REFUSALS = "every refusal had its reason"
_STALE = "no read is older than its client may expect"

Scene = Callable[[History, bool], None]


def after_an_honest_run() -> History:
    """An honest run of the saga, ten seconds after its last call."""
    history = History(SEED, "saga").simulated()
    history.now_us += LATER_US
    history.queue.clear()
    history.has_local_transfers = False  # because the scenes have a time between debit and credit
    return history


def _closing_after_a_payment(history: History, honest: bool) -> None:
    """A wallet that has paid before is empty. Its closing is refused because of the payment."""
    payer, payee = _two_wallets(history)
    _pay(history, payer, payee)
    _empty(history, payer)
    history.now_us += LATER_US
    _close(history, payer, None if honest else "wallet-not-empty")


def _closing_before_a_credit(history: History, honest: bool) -> None:
    """The closing of an empty wallet is refused because of a transfer to it, which is credited ten seconds later."""
    payer, payee = _two_wallets(history)
    _empty(history, payee)
    call, transfer = _debit(history, payer, payee)
    _close(history, payee, None if honest else "wallet-not-empty")
    _credit(history, call, transfer)


def _closing_during_a_payment(history: History, _: bool) -> None:
    """The closing of an empty wallet is refused because of a payment that is not decided."""
    payer, payee = _two_wallets(history)
    call, transfer = _debit(history, payer, payee, payer.balance)
    _close(history, payer, "wallet-not-empty")
    _credit(history, call, transfer)


def _read_after_a_pending_transfer(history: History, honest: bool) -> None:
    """A read of the payer after 202 does not show the debit."""
    payer, payee = _two_wallets(history)
    call, transfer = _debit(history, payer, payee)
    history.answer_decided(call, transfer)
    assert call["status"] == 202
    history.now_us = call["answered_us"] + 1
    read = _call(history, "balance", payer)
    history.answer_wallet(read, payer, payer.entries if honest else payer.entries[:-1])
    _credit(history, call, transfer)


def _read_of_the_payee_after_a_pending_transfer(history: History, _: bool) -> None:
    """A read of the payee after 202 need not show the credit."""
    payer, payee = _two_wallets(history)
    call, transfer = _debit(history, payer, payee)
    history.answer_decided(call, transfer)
    history.now_us = call["answered_us"] + 1
    read = _call(history, "balance", payee)
    history.answer_wallet(read, payee, payee.entries)
    _credit(history, call, transfer)


def _two_wallets(history: History) -> tuple[Wallet, Wallet]:
    able = [
        wallet
        for wallet in history.wallets.values()
        if (wallet.status, wallet.currency) == ("active", "USD") and wallet.balance > 0
    ]
    payer, payee = able[:2]
    return payer, payee


def _call(history: History, operation: str, wallet: Wallet, **sent: object) -> Row:
    history.now_us += 10_000
    return history._call("scene", operation, wallet.account, **sent)


def _pay(history: History, payer: Wallet, payee: Wallet) -> None:
    _credit(history, *_debit(history, payer, payee))


def _debit(history: History, payer: Wallet, payee: Wallet, micros: int = 1) -> tuple[Row, Row]:
    """Send a transfer, and make only its debit."""
    known = set(history.transfers)
    sent = {"counterparty": payee.account, "amount_micros": micros, "currency": "USD"}
    call = _call(history, "transfer", payer, **sent)
    history.random.seed(SEED)  # the debit alone is not answered
    history.decide_money(call)
    history.queue.clear()
    (transfer,) = (history.transfers[one] for one in history.transfers.keys() - known)
    return call, transfer


def _credit(history: History, call: Row, transfer: Row) -> None:
    """Make the credit of a transfer ten seconds later, and end the saga."""
    history.now_us += LATER_US
    history.credit(call, transfer)
    reason = history.credits[-1]["reason"]
    history.now_us += 10_000
    history.end(transfer, "refunded" if reason else "completed", call, reason)


def _empty(history: History, wallet: Wallet) -> None:
    call = _call(history, "withdraw", wallet, amount_micros=wallet.balance, currency="USD")
    history.decide_money(call)


def _close(history: History, wallet: Wallet, problem: str | None) -> None:
    call = _call(history, "close", wallet)
    if problem:
        history.answer(call, 300, status=409, problem=problem)
    else:
        history.decide_status(call)


WRONG_SCENES: list[tuple[Scene, str]] = [
    (_closing_after_a_payment, _REFUSALS),
    (_closing_before_a_credit, _REFUSALS),
    (_read_after_a_pending_transfer, _STALE),
]
"""Scenes with a wrong answer, and the rule that must find it."""
HONEST_SCENES: list[Scene] = [
    *(scene for scene, _ in WRONG_SCENES),
    _closing_during_a_payment,
    _read_of_the_payee_after_a_pending_transfer,
]
"""Scenes that pass with their honest answer."""
