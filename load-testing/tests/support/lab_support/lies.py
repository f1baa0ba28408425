"""Lies that a faulty service could write into honest books. Each keeps every derived sum and copy consistent."""

from collections.abc import Callable

from lab_support.honest_history import History, Row, Wallet

Lie = Callable[[History], None]
SUM_MICROS = 9_000_000
YEARS_900_US = 900 * 365 * 86_400 * 1_000_000


def _active(history: History) -> Wallet:
    return next(
        wallet
        for wallet in history.wallets.values()
        if wallet.status == "active" and wallet.currency == "USD"
    )


def _another(history: History, than: str) -> Wallet:
    return next(
        wallet
        for wallet in history.wallets.values()
        if wallet.status == "active" and wallet.currency == "USD" and wallet.account != than
    )


def _completed(history: History, kind: str) -> Row:
    """An acknowledged transfer of this kind in the run."""
    acknowledged = {call["transaction_id"] for call in history.calls if call["status"] == 201}
    return next(
        transfer
        for transfer in history.transfers.values()
        if transfer["kind"] == kind
        and transfer["state"] == "completed"
        and transfer["transaction_id"] in acknowledged
    )


def _fold(wallet: Wallet) -> None:
    """Give the wallet's entries new versions and balances, after one was added or removed."""
    wallet.balance = 0
    for number, entry in enumerate(wallet.entries, start=1):
        wallet.balance += entry["amount_micros"]
        entry["version"], entry["after"] = number, wallet.balance
        if entry["balance_micros"] is not None:
            entry["balance_micros"] = wallet.balance


def _renumber(history: History) -> None:
    """Give the log's entries new positions, after one was removed."""
    if history.is_cqrs:
        for number, entry in enumerate(history.log, start=1):
            entry["position"] = number
        for transfer in history.transfers.values():
            own = [
                entry["position"]
                for entry in history.log
                if entry["transaction_id"] == transfer["transaction_id"]
            ]
            if own:
                transfer.update(first_position=min(own), last_position=max(own))


def money_from_nothing(history: History) -> None:
    """Post money against @transit, without a transfer."""
    history.post(_active(history), SUM_MICROS, "transfer", {"transaction_id": history.new_id("w1")}, "w2")


def credit_to_a_stranger(history: History) -> None:
    """Move the credit of an acknowledged transfer to another wallet."""
    transfer = _completed(history, "transfer")
    payee = history.wallets[transfer["payee"]]
    entry = next(e for e in payee.entries if e["transaction_id"] == transfer["transaction_id"])
    payee.entries.remove(entry)
    history.log.remove(entry)
    _fold(payee)
    stranger = next(
        w
        for w in history.wallets.values()
        if w.account not in {transfer["payee"], transfer["payer"]} and w.status == "active"
    )
    history.post(stranger, transfer["amount_micros"], "transfer", transfer, transfer["payer"])
    _renumber(history)


def move_between_uninvolved_wallets(history: History) -> None:
    """Move money under the id of another client's transfer."""
    transfer = _completed(history, "transfer")
    payer = _active(history)
    payee = _another(history, payer.account)
    history.post(payer, -1, "transfer", transfer, payee.account)
    history.post(payee, 1, "transfer", transfer, payer.account)


def applied_again_under_a_new_id(history: History) -> None:
    """Apply a transfer again, with a new id and without a key."""
    first = _completed(history, "transfer")
    history.transfer_now(first["payer"], first["payee"], 1)


def deposit_deleted(history: History) -> None:
    """Delete a deposit that was acknowledged."""
    deposit = _completed(history, "deposit")
    wallet = history.wallets[deposit["payee"]]
    entry = next(e for e in wallet.entries if e["transaction_id"] == deposit["transaction_id"])
    wallet.entries.remove(entry)
    history.log.remove(entry)
    del history.transfers[deposit["transaction_id"]]
    _fold(wallet)
    _renumber(history)


def frozen_without_a_request(history: History) -> None:
    """Freeze a wallet that no client has frozen."""
    asked = {call["account"] for call in history.calls if call["operation"] == "freeze"}
    wallet = next(w for w in history.wallets.values() if w.status == "active" and w.account not in asked)
    history.change_status(wallet, "frozen", "frozen")


def frozen_and_unfrozen_unseen(history: History) -> None:
    """Freeze and unfreeze a wallet long after the requests of its clients."""
    wallet = _active(history)
    history.change_status(wallet, "frozen", "frozen")
    history.change_status(wallet, "active", "unfrozen")


def other_payee_and_currency(history: History) -> None:
    """Change payee and currency of a completed transfer."""
    transfer = _completed(history, "transfer")
    transfer.update(payee="w4" if transfer["payee"] != "w4" else "w3", currency="GBP")


def money_from_outside(history: History) -> None:
    """Post money against @external, without a deposit."""
    history.post(
        _active(history), SUM_MICROS, "deposit", {"transaction_id": history.new_id("w1")}, "@external"
    )


def debit_after_frozen(history: History) -> None:
    """Debit a wallet after it was frozen."""
    wallet = next(w for w in history.wallets.values() if w.status == "active" and w.balance > 0)
    history.change_status(wallet, "frozen", "frozen")
    history.post(wallet, -1, "withdrawal", {"transaction_id": history.new_id("w1")}, "@external")


def posted_in_900_years(history: History) -> None:
    """Date the last change of a wallet 900 years ahead."""
    _active(history).entries[-1]["at_us"] += YEARS_900_US


def deposit_that_nobody_sent(history: History) -> None:
    """Add a whole deposit that no client sent."""
    history.deposit_now(_active(history), SUM_MICROS)


LIES: tuple[Lie, ...] = (
    money_from_nothing,
    credit_to_a_stranger,
    move_between_uninvolved_wallets,
    applied_again_under_a_new_id,
    deposit_deleted,
    frozen_without_a_request,
    frozen_and_unfrozen_unseen,
    other_payee_and_currency,
    money_from_outside,
    debit_after_frozen,
    posted_in_900_years,
    deposit_that_nobody_sent,
)
