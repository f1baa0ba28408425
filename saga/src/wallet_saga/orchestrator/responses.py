"""Maps the outcomes of sagas and steps to the responses of the contract."""

from uuid import UUID

from wallet_kernel.attempt import NoOutcome
from wallet_kernel.contract.problems import Problem, problem_uri, refused
from wallet_kernel.contract.responses import (
    REPLAYED,
    StatementItem,
    TimelineEntry,
    TransferStatus,
    TransferView,
    WalletView,
    money,
    timestamp,
    transfer_pending,
    transfer_succeeded,
    wallet_opened,
)
from wallet_kernel.http import Response
from wallet_kernel.refusals import Refusal
from wallet_saga.balance_cache import wallet_view
from wallet_saga.domain.batch import CreditRecord, LedgerEntry
from wallet_saga.domain.commands import (
    NotDone,
    Outcome,
    Refused,
    Replayed,
    TransferRecord,
    Unknown,
    WalletState,
)
from wallet_saga.domain.saga import Saga, State
from wallet_saga.orchestrator.payments import Undecided


def saga_response(saga: Saga) -> Response:
    """Returns the response to the client of a decided saga. Raises Problem if the saga was refused or refunded."""
    if saga.reason is None:
        return transfer_succeeded(saga.transaction_id, replayed=saga.replayed)
    account = saga.to_account if saga.state is State.REFUNDED else saga.from_account
    raise _refusal(saga.reason, account, saga.transaction_id, replayed=saga.replayed)


def undecided_response(undecided: Undecided) -> Response:
    """Returns 202 if the debit is known to be durable. Otherwise raises Problem."""
    saga = undecided.drive.saga
    if saga.state is State.STARTED:
        raise no_outcome(NoOutcome(saga.transaction_id, may_be_done=undecided.drive.attempt.may_be_done))
    return transfer_pending(saga.transaction_id, replayed=saga.replayed)


def no_outcome(error: NoOutcome) -> Problem:
    """Returns the problem for a step without an outcome at the deadline: certainly not done, or perhaps done."""
    if not error.may_be_done:
        return Problem(
            "shard-unavailable",
            "The wallet's database did not take the request in time. Nothing was done. Send the request again.",
        )
    return Problem(
        "outcome-unknown",
        "The wallet's database did not answer in time. The request may have been done."
        " Send it again with the same Idempotency-Key to find out.",
        transaction_id=error.transaction_id,
    )


def cash_response(account_id: str, transaction_id: UUID, outcome: Outcome) -> Response:
    """Returns the response to a deposit or withdrawal. Raises Problem if it was refused."""
    first, reason, replayed = _logged(transaction_id, outcome)
    if reason is not None:
        raise _refusal(reason, account_id, first, replayed=replayed)
    return transfer_succeeded(first, replayed=replayed)


def opened_response(account_id: str, transaction_id: UUID, outcome: Outcome) -> Response:
    """Returns the response to the opening of a wallet. Raises Problem if it was refused.

    A replay shows the wallet right after its opening.
    """
    first, reason, replayed = _logged(transaction_id, outcome)
    if reason is not None:
        raise _refusal(reason, account_id, first, replayed=replayed)
    if isinstance(outcome, Replayed):
        transfer = outcome.transfer
        wallet = WalletView(
            account_id=account_id,
            currency=transfer.currency,
            balance_micros=transfer.amount_micros,
            version=1,
            status="active",
            updated_at=transfer.started_at,
        )
        return wallet_opened(first, wallet, replayed=replayed)
    return wallet_opened(first, wallet_view(wallet_of(account_id, outcome)), replayed=replayed)


def wallet_of(account_id: str, outcome: Outcome) -> WalletState:
    """Returns the wallet in an outcome. Raises Problem if the step was refused."""
    if isinstance(outcome, Refused):
        raise refused(outcome.reason, account_id)
    assert isinstance(outcome, WalletState), outcome
    return outcome


def transfer_view(transfer: TransferRecord, credit: CreditRecord | None) -> TransferView:
    """Returns the view of a transfer that its log row (payer) and its barrier row (payee) describe.

    A completed transfer without a barrier row was one transaction, because both wallets are on one shard.
    """
    return TransferView(
        transactionId=transfer.transaction_id,
        status=_status(transfer, credit),
        fromAccount=transfer.from_account,
        toAccount=transfer.to_account,
        amount=money(transfer.amount_micros),
        currency=transfer.currency,
        timeline=_timeline(transfer, credit),
        **({"reason": problem_uri(transfer.reason)} if transfer.reason else {}),
    )


def statement_item(entry: LedgerEntry) -> StatementItem:
    """Returns a posting as an item of a statement."""
    assert entry.transaction_id is not None, "statements hold postings only"
    assert entry.counterparty is not None, "every posting has another side"
    return StatementItem(
        transactionId=entry.transaction_id,
        kind=entry.kind,
        amount=money(entry.amount_micros),
        balance=money(entry.balance_micros),
        version=entry.version,
        counterparty=entry.counterparty,
        at=timestamp(entry.at),
    )


def _status(transfer: TransferRecord, credit: CreditRecord | None) -> TransferStatus:
    if transfer.state in ("refused", "refunded"):
        return "refused"
    credited = credit is not None and credit.reason is None
    return "success" if transfer.state == "completed" or credited else "pending"


def _timeline(transfer: TransferRecord, credit: CreditRecord | None) -> list[TimelineEntry]:
    began = "debit" if transfer.kind == "transfer" else transfer.kind
    if transfer.state == "refused" and transfer.reason:
        return [
            TimelineEntry(f"{began} refused", timestamp(transfer.started_at), problem_uri(transfer.reason))
        ]
    timeline = [TimelineEntry(began, timestamp(transfer.started_at))]
    if credit and credit.reason:
        timeline.append(TimelineEntry("credit refused", timestamp(credit.at), problem_uri(credit.reason)))
    elif credit:
        timeline.append(TimelineEntry("credit", timestamp(credit.at)))
    elif transfer.kind == "transfer" and transfer.state == "completed":  # local: no barrier row, and one time
        timeline.append(TimelineEntry("credit", timestamp(transfer.started_at)))
    if transfer.kind == "transfer" and transfer.ended_at:
        ended = "complete" if transfer.state == "completed" else "refund"
        timeline.append(TimelineEntry(ended, timestamp(transfer.ended_at)))
    return timeline


def _logged(transaction_id: UUID, outcome: Outcome) -> tuple[UUID, Refusal | None, bool]:
    """Returns the id of the transfer (of the first one if replayed), its refusal, and whether it is a replay."""
    assert not isinstance(outcome, NotDone | Unknown), "the shard client raises for these"
    if isinstance(outcome, Replayed):
        first = outcome.transfer
        return first.transaction_id, first.reason, first.transaction_id != transaction_id
    return transaction_id, outcome.reason if isinstance(outcome, Refused) else None, False


def _refusal(reason: Refusal, account_id: str, transaction_id: UUID, *, replayed: bool) -> Problem:
    if reason is Refusal.KEY_REUSED:  # because this request is not recorded, the problem has no id
        return refused(reason, account_id)
    problem = refused(reason, account_id, transaction_id)
    problem.headers = REPLAYED if replayed else ()
    return problem
