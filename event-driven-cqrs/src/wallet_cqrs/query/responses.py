"""Maps stored transfers and postings, and the errors of reads, to the contract's responses."""

from msgspec import UNSET

from wallet_cqrs.query.history import Transfer
from wallet_cqrs.read_model import Posting
from wallet_kernel.batcher import QueueFull
from wallet_kernel.bulkhead import BulkheadFull
from wallet_kernel.contract.problems import Problem, problem_uri
from wallet_kernel.contract.responses import (
    StatementItem,
    TimelineEntry,
    TransferView,
    money,
    timestamp,
)
from wallet_kernel.database import DATABASE_ERRORS

READ_ERRORS = (QueueFull, BulkheadFull, *DATABASE_ERRORS)
"""The errors that `read_problem` maps."""


def read_problem(error: Exception) -> Problem:
    """Returns the problem for a read whose queue is full, or whose database is unavailable."""
    if isinstance(error, QueueFull | BulkheadFull):
        return Problem("overloaded", "Too many reads are waiting; send the request again later.")
    return Problem("shard-unavailable", "The wallet's database is unavailable. Send the request again later.")


def transfer_view(transfer: Transfer) -> TransferView:
    """Returns a transfer and its events as the contract shows them."""
    return TransferView(
        transactionId=transfer.transaction_id,
        status="refused" if transfer.reason else "success",
        fromAccount=transfer.from_account,
        toAccount=transfer.to_account,
        amount=money(transfer.amount_micros),
        currency=transfer.currency,
        timeline=_timeline(transfer),
        reason=problem_uri(transfer.reason) if transfer.reason else UNSET,
    )


def statement_item(posting: Posting) -> StatementItem:
    """Returns a posting as an item of a statement."""
    return StatementItem(
        transactionId=posting.transaction_id,
        kind=posting.kind,
        amount=money(posting.amount_micros),
        balance=money(posting.balance_micros),
        version=posting.version,
        counterparty=posting.counterparty,
        at=timestamp(posting.at),
    )


def _timeline(transfer: Transfer) -> list[TimelineEntry]:
    if transfer.reason:
        step = f"{transfer.kind} refused"
        return [TimelineEntry(step, timestamp(transfer.at), problem_uri(transfer.reason))]
    return [TimelineEntry(step.name, timestamp(step.at)) for step in transfer.steps]
