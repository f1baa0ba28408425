"""The shard's decision for each command: pure functions on a batch.

Every payment is idempotent: it looks for its own earlier effect first. All commands check a wallet in the same order:
unknown, closed, frozen, currency, funds or limit.
"""

from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from wallet_kernel.accounts import EXTERNAL, TRANSIT
from wallet_kernel.money import AMOUNT_MAX_MICROS
from wallet_kernel.refusals import Refusal
from wallet_saga.domain.batch import Batch
from wallet_saga.domain.commands import (
    ChangeStatus,
    CloseWallet,
    Command,
    CompleteTransfer,
    CreditWallet,
    DebitWallet,
    Deposit,
    Done,
    Ended,
    Flush,
    InFlight,
    OpenWallet,
    Outcome,
    Payment,
    ReadWallet,
    RefundTransfer,
    Refused,
    Replayed,
    TransferKind,
    TransferRecord,
    TransferState,
    Withdraw,
)
from wallet_saga.domain.wallet import Wallet

DONE = Done()


def decide(batch: Batch, command: Command) -> Outcome:
    """Decides one command and applies its changes to the batch. Later commands of the batch see these changes."""
    return _DECISIONS[type(command)](batch, command)


def debit_wallet(batch: Batch, command: DebitWallet) -> Outcome:
    """Saga step 1, on the payer's shard: logs the saga and debits the payer, or logs the refusal.

    If the payee is on the same shard, the other steps follow in the same transaction.
    """
    if again := _decided_before(batch, command):
        return again
    payer = batch.wallets.get(command.from_account)
    reason = _refuse_payment(payer, command.amount_micros, command.currency)
    _log(batch, command, "transfer", reason)
    if reason or payer is None:
        return Refused(reason or Refusal.WALLET_NOT_FOUND)
    batch.post(
        payer,
        -command.amount_micros,
        "transfer",
        transaction_id=command.transaction_id,
        counterparty=command.to_account,
        against=TRANSIT,
    )
    payer.in_flight_micros += command.amount_micros
    return _end_locally(batch, command) if command.is_local else DONE


def credit_wallet(batch: Batch, command: CreditWallet) -> Outcome:
    """Saga step 2, on the payee's shard: credits the payee once. The barrier stores the outcome, also a refusal."""
    if first := batch.credits.get(command.transaction_id):
        return Refused(first.reason) if first.reason else DONE
    reason = _credit_payee(batch, command)
    batch.remember_credit(command.transaction_id, reason)
    return Refused(reason) if reason else DONE


def complete_transfer(batch: Batch, command: CompleteTransfer) -> Outcome:
    """Saga step 3, on the payer's shard: ends the saga. The amount is no longer in flight, because the payee has it."""
    if open_transfer := _open_transfer(batch, command.transaction_id):
        batch.wallets[command.account_id].in_flight_micros -= open_transfer.amount_micros
        batch.end(open_transfer, "completed")
    return DONE


def refund_transfer(batch: Batch, command: RefundTransfer) -> Outcome:
    """The compensation of the debit: adds the amount back. It is never refused, also if the payer is frozen."""
    if open_transfer := _open_transfer(batch, command.transaction_id):
        payer = batch.wallets[command.account_id]
        payer.in_flight_micros -= open_transfer.amount_micros
        batch.post(
            payer,
            open_transfer.amount_micros,
            "refund",
            transaction_id=command.transaction_id,
            counterparty=open_transfer.to_account,
            against=TRANSIT,
        )
        batch.end(open_transfer, "refunded", command.reason)
    return DONE


def open_wallet(batch: Batch, command: OpenWallet) -> Outcome:
    """Opens a wallet. Its opening balance is a posting from the external account."""
    if again := _decided_before(batch, command):
        return again
    reason = Refusal.WALLET_EXISTS if command.account_id in batch.wallets else None
    _log(batch, command, "opening", reason)
    if reason:
        return Refused(reason)
    wallet = batch.open(command.account_id, command.currency)
    _post_external(batch, wallet, command.balance_micros, "opening", command.transaction_id)
    return wallet.state()


def deposit(batch: Batch, command: Deposit) -> Outcome:
    """Moves money from the external account into a wallet."""
    if again := _decided_before(batch, command):
        return again
    wallet = batch.wallets.get(command.account_id)
    reason = _refuse_receipt(wallet, command.amount_micros, command.currency)
    _log(batch, command, "deposit", reason)
    if reason or wallet is None:
        return Refused(reason or Refusal.WALLET_NOT_FOUND)
    _post_external(batch, wallet, command.amount_micros, "deposit", command.transaction_id)
    return DONE


def withdraw(batch: Batch, command: Withdraw) -> Outcome:
    """Moves money from a wallet to the external account."""
    if again := _decided_before(batch, command):
        return again
    wallet = batch.wallets.get(command.account_id)
    reason = _refuse_payment(wallet, command.amount_micros, command.currency)
    _log(batch, command, "withdrawal", reason)
    if reason or wallet is None:
        return Refused(reason or Refusal.WALLET_NOT_FOUND)
    _post_external(batch, wallet, -command.amount_micros, "withdrawal", command.transaction_id)
    return DONE


def change_status(batch: Batch, command: ChangeStatus) -> Outcome:
    """Freezes or unfreezes a wallet. If the wallet already has that status, nothing changes."""
    wallet = batch.wallets.get(command.account_id)
    if wallet is None:
        return Refused(Refusal.WALLET_NOT_FOUND)
    if wallet.status == "closed":
        return Refused(Refusal.WALLET_CLOSED)
    if (wallet.status == "frozen") != command.frozen:
        batch.change_status(wallet, *(("frozen", "frozen") if command.frozen else ("active", "unfrozen")))
    return wallet.state()


def close_wallet(batch: Batch, command: CloseWallet) -> Outcome:
    """Closes a wallet whose balance is 0 and which has no money in flight, because a refund needs an open wallet.

    Money in flight may already have reached its payee, while CompleteTransfer is still queued. So the outcome InFlight
    asks the orchestrator to decide the open transfers first.
    """
    wallet = batch.wallets.get(command.account_id)
    if wallet is None:
        return Refused(Refusal.WALLET_NOT_FOUND)
    if wallet.balance_micros:
        return Refused(Refusal.WALLET_NOT_EMPTY)
    if wallet.in_flight_micros:
        return InFlight()
    if wallet.status != "closed":
        batch.change_status(wallet, "closed", "closed")
    return wallet.state()


def read_wallet(batch: Batch, command: ReadWallet) -> Outcome:
    """Returns the wallet."""
    wallet = batch.wallets.get(command.account_id)
    return wallet.state() if wallet else Refused(Refusal.WALLET_NOT_FOUND)


def flush(_: Batch, __: Flush) -> Outcome:
    """Changes nothing. The outcome shows that every earlier command in the queue has been decided."""
    return DONE


def _end_locally(batch: Batch, command: DebitWallet) -> Ended:
    """Performs saga steps 2 and 3, or the compensation, in the transaction of step 1.

    A credit that is done needs no barrier, because no CreditWallet follows.
    """
    if reason := _credit_payee(batch, command):
        batch.remember_credit(command.transaction_id, reason)
        refund_transfer(batch, RefundTransfer(command.transaction_id, command.from_account, reason))
    else:
        complete_transfer(batch, CompleteTransfer(command.transaction_id, command.from_account))
    return Ended(reason)


def _credit_payee(batch: Batch, command: CreditWallet | DebitWallet) -> Refusal | None:
    """Credits the payee, or returns the refusal."""
    payee = batch.wallets.get(command.to_account)
    reason = _refuse_receipt(payee, command.amount_micros, command.currency)
    if reason or payee is None:
        return reason or Refusal.WALLET_NOT_FOUND
    batch.post(
        payee,
        command.amount_micros,
        "transfer",
        transaction_id=command.transaction_id,
        counterparty=command.from_account,
        against=TRANSIT,
    )
    return None


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


def _decided_before(batch: Batch, command: Payment) -> Outcome | None:
    """Returns the outcome of a payment whose transaction id or idempotency key is in the log, or None."""
    first = batch.first_with(command.transaction_id, command.account_id, command.key)
    if first is None:
        return None
    if command.key is not None and first.key == command.key and first.fingerprint != command.fingerprint:
        return Refused(Refusal.KEY_REUSED)
    return Replayed(first)


def _open_transfer(batch: Batch, transaction_id: UUID) -> TransferRecord | None:
    transfer = batch.transfers.get(transaction_id)
    return transfer if transfer and transfer.state == "debited" else None


def _post_external(
    batch: Batch,
    wallet: Wallet,
    amount_micros: int,
    kind: Literal["opening", "deposit", "withdrawal"],
    transaction_id: UUID,
) -> None:
    batch.post(
        wallet,
        amount_micros,
        kind,
        transaction_id=transaction_id,
        counterparty=EXTERNAL,
        against=EXTERNAL,
    )


def _log(batch: Batch, command: Payment, kind: TransferKind, reason: Refusal | None) -> None:
    state: TransferState = "refused" if reason else "debited" if kind == "transfer" else "completed"
    from_account, to_account = _sides(command)
    batch.log(
        TransferRecord(
            transaction_id=command.transaction_id,
            kind=kind,
            state=state,
            from_account=from_account,
            to_account=to_account,
            amount_micros=command.balance_micros
            if isinstance(command, OpenWallet)
            else command.amount_micros,
            currency=command.currency,
            key=command.key,
            fingerprint=command.fingerprint,
            reason=reason,
            started_at=batch.now,
            ended_at=None if state == "debited" else batch.now,
        )
    )


def _sides(command: Payment) -> tuple[str, str]:
    """Returns the accounts that a payment moves money from and to."""
    if isinstance(command, DebitWallet):
        return command.from_account, command.to_account
    if isinstance(command, Withdraw):
        return command.account_id, EXTERNAL
    return EXTERNAL, command.account_id


_DECISIONS: dict[type[Command], Callable[[Batch, Any], Outcome]] = {
    DebitWallet: debit_wallet,
    CreditWallet: credit_wallet,
    CompleteTransfer: complete_transfer,
    RefundTransfer: refund_transfer,
    OpenWallet: open_wallet,
    Deposit: deposit,
    Withdraw: withdraw,
    ChangeStatus: change_status,
    CloseWallet: close_wallet,
    ReadWallet: read_wallet,
    Flush: flush,
}
