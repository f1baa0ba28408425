"""Maps stored transfers and postings to the contract's responses."""

from wallet_cqrs.query.history import Transfer
from wallet_cqrs.read_model import Posting
from wallet_kernel.contract.problems import problem_uri
from wallet_kernel.contract.responses import (
    StatementItem,
    TimelineEntry,
    TransferView,
    money,
    timestamp,
)


def transfer_view(transfer: Transfer) -> TransferView:
    """Returns a transfer and its events as the contract shows them."""
    return TransferView(
        transfer.transaction_id,
        "refused" if transfer.reason else "success",
        transfer.from_account,
        transfer.to_account,
        money(transfer.amount_micros),
        transfer.currency,
        _timeline(transfer),
        **({"reason": problem_uri(transfer.reason)} if transfer.reason else {}),
    )


def statement_item(posting: Posting) -> StatementItem:
    """Returns a posting as an item of a statement."""
    return StatementItem(
        posting.transaction_id,
        posting.kind,
        money(posting.amount_micros),
        money(posting.balance_micros),
        posting.version,
        posting.counterparty,
        timestamp(posting.at),
    )


def _timeline(transfer: Transfer) -> list[TimelineEntry]:
    if transfer.reason:
        step = f"{transfer.kind} refused"
        return [TimelineEntry(step, timestamp(transfer.at), problem_uri(transfer.reason))]
    return [TimelineEntry(step.name, timestamp(step.at)) for step in transfer.steps]
