"""The participant's decision for each step of the saga: pure functions on the shard's books.

Every step is idempotent: it looks for its own earlier effect first. All steps check a wallet in the same order:
unknown, closed, frozen, currency, funds or limit.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from wallet_kernel.accounts import EXTERNAL, TRANSIT
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal
from wallet_saga.domain.batch import Books, Wallet
from wallet_saga.messages import (
    Close,
    Complete,
    Credit,
    Debit,
    Deposit,
    Done,
    InFlight,
    Open,
    Outcome,
    Pass,
    Read,
    Refund,
    Refused,
    Replayed,
    SetFrozen,
    Step,
    TransferKind,
    TransferRecord,
    TransferState,
    Withdraw,
)

DONE = Done()


def decide(books: Books, step: Step) -> Outcome:
    """Decides one step and applies its changes to the books. Later steps of the batch see these changes."""
    return _DECISIONS[type(step)](books, step)


def debit(books: Books, step: Debit) -> Outcome:
    """Saga step 1, on the payer's shard: logs the saga and debits the payer, or logs the refusal."""
    if first := books.first_with(step.transfer_id, step.from_account, step.key):
        return _answer_again(first, step.key, step.fingerprint)
    payer = books.wallets.get(step.from_account)
    reason = _refuse_payment(payer, step.amount_micros, step.currency)
    _log(books, step, "transfer", step.from_account, step.to_account, step.amount_micros, reason)
    if reason or payer is None:
        return Refused(reason or Refusal.WALLET_NOT_FOUND)
    books.post(payer, -step.amount_micros, "transfer", step.transfer_id, step.to_account, TRANSIT)
    payer.in_flight_micros += step.amount_micros
    return DONE


def credit(books: Books, step: Credit) -> Outcome:
    """Saga step 2, on the payee's shard: credits the payee once. The barrier stores the outcome, also a refusal."""
    if first := books.credits.get(step.transfer_id):
        return Refused(first.reason) if first.reason else DONE
    payee = books.wallets.get(step.to_account)
    reason = _refuse_receipt(payee, step.amount_micros, step.currency)
    books.remember_credit(step.transfer_id, reason)
    if reason or payee is None:
        return Refused(reason or Refusal.WALLET_NOT_FOUND)
    books.post(payee, step.amount_micros, "transfer", step.transfer_id, step.from_account, TRANSIT)
    return DONE


def complete(books: Books, step: Complete) -> Outcome:
    """Saga step 3, on the payer's shard: ends the saga. The amount is no longer in flight, because the payee has it."""
    if open_transfer := _open_transfer(books, step.transfer_id):
        books.wallets[step.from_account].in_flight_micros -= open_transfer.amount_micros
        books.end(open_transfer, "completed")
    return DONE


def refund(books: Books, step: Refund) -> Outcome:
    """The compensation of debit: adds the amount back. It is never refused, also if the payer is frozen."""
    if open_transfer := _open_transfer(books, step.transfer_id):
        payer = books.wallets[step.from_account]
        payer.in_flight_micros -= open_transfer.amount_micros
        books.post(
            payer, open_transfer.amount_micros, "refund", step.transfer_id, open_transfer.to_account, TRANSIT
        )
        books.end(open_transfer, "refunded", step.reason)
    return DONE


def open_wallet(books: Books, step: Open) -> Outcome:
    """Opens a wallet. Its opening balance is a posting from the external account."""
    if first := books.first_with(step.transfer_id, step.account_id, step.key):
        return _answer_again(first, step.key, step.fingerprint)
    reason = Refusal.WALLET_EXISTS if step.account_id in books.wallets else None
    _log(books, step, "opening", EXTERNAL, step.account_id, step.balance_micros, reason)
    if reason:
        return Refused(reason)
    wallet = books.open(step.account_id, step.currency)
    books.post(wallet, step.balance_micros, "opening", step.transfer_id, EXTERNAL, EXTERNAL)
    return wallet.state()


def deposit(books: Books, step: Deposit) -> Outcome:
    """Moves money from the external account into a wallet."""
    if first := books.first_with(step.transfer_id, step.account_id, step.key):
        return _answer_again(first, step.key, step.fingerprint)
    wallet = books.wallets.get(step.account_id)
    reason = _refuse_receipt(wallet, step.amount_micros, step.currency)
    _log(books, step, "deposit", EXTERNAL, step.account_id, step.amount_micros, reason)
    if reason or wallet is None:
        return Refused(reason or Refusal.WALLET_NOT_FOUND)
    books.post(wallet, step.amount_micros, "deposit", step.transfer_id, EXTERNAL, EXTERNAL)
    return DONE


def withdraw(books: Books, step: Withdraw) -> Outcome:
    """Moves money from a wallet to the external account."""
    if first := books.first_with(step.transfer_id, step.account_id, step.key):
        return _answer_again(first, step.key, step.fingerprint)
    wallet = books.wallets.get(step.account_id)
    reason = _refuse_payment(wallet, step.amount_micros, step.currency)
    _log(books, step, "withdrawal", step.account_id, EXTERNAL, step.amount_micros, reason)
    if reason or wallet is None:
        return Refused(reason or Refusal.WALLET_NOT_FOUND)
    books.post(wallet, -step.amount_micros, "withdrawal", step.transfer_id, EXTERNAL, EXTERNAL)
    return DONE


def set_frozen(books: Books, step: SetFrozen) -> Outcome:
    """Freezes or unfreezes a wallet. If the wallet already has that status, nothing changes."""
    wallet = books.wallets.get(step.account_id)
    if wallet is None:
        return Refused(Refusal.WALLET_NOT_FOUND)
    if wallet.status == "closed":
        return Refused(Refusal.WALLET_CLOSED)
    if (wallet.status == "frozen") != step.frozen:
        books.change_status(wallet, *(("frozen", "frozen") if step.frozen else ("active", "unfrozen")))
    return wallet.state()


def close(books: Books, step: Close) -> Outcome:
    """Closes a wallet whose balance is 0 and which has no money in flight, because a refund needs an open wallet.

    Money in flight may already have reached its payee, while Complete is still queued. So the outcome InFlight asks the
    orchestrator to decide the open transfers first.
    """
    wallet = books.wallets.get(step.account_id)
    if wallet is None:
        return Refused(Refusal.WALLET_NOT_FOUND)
    if wallet.balance_micros:
        return Refused(Refusal.WALLET_NOT_EMPTY)
    if wallet.in_flight_micros:
        return InFlight()
    if wallet.status != "closed":
        books.change_status(wallet, "closed", "closed")
    return wallet.state()


def read(books: Books, step: Read) -> Outcome:
    """Returns the wallet."""
    wallet = books.wallets.get(step.account_id)
    return wallet.state() if wallet else Refused(Refusal.WALLET_NOT_FOUND)


def pass_by(_: Books, __: Pass) -> Outcome:
    """Changes nothing. The outcome shows that every earlier step in the queue has been decided."""
    return DONE


def _refuse_payment(wallet: Wallet | None, amount_micros: int, currency: str) -> Refusal | None:
    if reason := _refuse_posting(wallet, currency):
        return reason
    return Refusal.INSUFFICIENT_FUNDS if wallet and wallet.balance_micros < amount_micros else None


def _refuse_receipt(wallet: Wallet | None, amount_micros: int, currency: str) -> Refusal | None:
    if reason := _refuse_posting(wallet, currency):
        return reason
    # Because a refund must never be refused, the limit includes the money in flight.
    if wallet and wallet.balance_micros + wallet.in_flight_micros + amount_micros > AMOUNT_MAX_MICROS:
        return Refusal.BALANCE_LIMIT
    return None


def _refuse_posting(wallet: Wallet | None, currency: str) -> Refusal | None:
    if wallet is None:
        return Refusal.WALLET_NOT_FOUND
    if wallet.status == "closed":
        return Refusal.WALLET_CLOSED
    if wallet.status == "frozen":
        return Refusal.WALLET_FROZEN
    return Refusal.CURRENCY_MISMATCH if wallet.currency != currency else None


def _answer_again(first: TransferRecord, key: str | None, fingerprint: bytes | None) -> Outcome:
    if key is not None and first.key == key and first.fingerprint != fingerprint:
        return Refused(Refusal.KEY_REUSED)
    return Replayed(first)


def _open_transfer(books: Books, transfer_id: UUID) -> TransferRecord | None:
    transfer = books.transfers.get(transfer_id)
    return transfer if transfer and transfer.state == "debited" else None


def _log(
    books: Books,
    step: Debit | Open | Deposit | Withdraw,
    kind: TransferKind,
    from_account: str,
    to_account: str,
    amount_micros: int,
    reason: Refusal | None,
) -> None:
    state: TransferState = "refused" if reason else "debited" if kind == "transfer" else "completed"
    books.log(
        TransferRecord(
            step.transfer_id,
            kind,
            state,
            from_account,
            to_account,
            amount_micros,
            step.currency,
            step.key,
            step.fingerprint,
            reason,
            books.now,
            None if state == "debited" else books.now,
        )
    )


_DECISIONS: dict[type[Step], Callable[[Books, Any], Outcome]] = {
    Debit: debit,
    Credit: credit,
    Complete: complete,
    Refund: refund,
    Open: open_wallet,
    Deposit: deposit,
    Withdraw: withdraw,
    SetFrozen: set_frozen,
    Close: close,
    Read: read,
    Pass: pass_by,
}
