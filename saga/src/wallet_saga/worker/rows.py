"""Converts rows into records. The columns of a row come in the order in which the SQL names them."""

from collections.abc import Sequence
from typing import Any

from wallet_kernel.refusals import Refusal
from wallet_saga.messages import CreditRecord, TransferRecord

_REASON = TransferRecord.__struct_fields__.index("reason")


def transfer_of(row: Sequence[Any]) -> TransferRecord:
    """Returns the record of a row of the saga log."""
    columns = list(row)
    columns[_REASON] = Refusal(columns[_REASON]) if columns[_REASON] else None
    return TransferRecord(*columns)


def credit_of(row: Sequence[Any]) -> CreditRecord:
    """Returns the record of a row of the credit barrier."""
    transfer_id, reason, at = row
    return CreditRecord(transfer_id, Refusal(reason) if reason else None, at)
