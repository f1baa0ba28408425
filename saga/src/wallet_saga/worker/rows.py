"""The shard's rows, as the driver gives them: tuples of the columns that the SQL names, in its order."""

from collections.abc import Sequence
from typing import Any

from wallet_kernel.refusals import Refusal
from wallet_saga.protocol import CreditRecord, TransferRecord

_REASON = TransferRecord.__struct_fields__.index("reason")


def transfer_of(row: Sequence[Any]) -> TransferRecord:
    """The record of a row of the saga log."""
    columns = list(row)
    columns[_REASON] = Refusal(columns[_REASON]) if columns[_REASON] else None
    return TransferRecord(*columns)


def credit_of(row: Sequence[Any]) -> CreditRecord:
    """The record of a row of the credit barrier."""
    transfer_id, reason, at = row
    return CreditRecord(transfer_id, Refusal(reason) if reason else None, at)
