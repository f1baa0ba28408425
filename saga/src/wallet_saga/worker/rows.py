"""The shard's rows, as the driver takes and gives them."""

from operator import attrgetter
from typing import Any

import asyncpg

from wallet_kernel.refusals import Refusal
from wallet_saga.protocol import CreditRecord, TransferRecord

# Rows as tuples of their tables' columns.
wallet_row = attrgetter(
    "account_id", "currency", "status", "balance_micros", "in_flight_micros", "version", "updated_at"
)
ledger_row = attrgetter(
    "account_id", "version", "kind", "transfer_id", "amount_micros", "balance_micros", "counterparty", "at"
)
credit_row = attrgetter("transfer_id", "reason", "at")


def transfer_row(transfer: TransferRecord) -> tuple[Any, ...]:
    """A row of the saga log."""
    return (
        transfer.transfer_id,
        transfer.kind,
        transfer.state,
        transfer.from_account,
        transfer.to_account,
        transfer.amount_micros,
        transfer.currency,
        None,  # the owner, which the database works out
        transfer.key,
        transfer.fingerprint,
        transfer.reason,
        transfer.started_at,
        transfer.ended_at,
        None,  # the lease, which is the same for all of a batch
    )


def transfer_of(row: asyncpg.Record) -> TransferRecord:
    """What a row of the saga log says."""
    return TransferRecord(
        row["transfer_id"],
        row["kind"],
        row["state"],
        row["from_account"],
        row["to_account"],
        row["amount_micros"],
        row["currency"],
        row["idempotency_key"],
        row["fingerprint"],
        Refusal(row["reason"]) if row["reason"] else None,
        row["started_at"],
        row["ended_at"],
    )


def credit_of(row: asyncpg.Record) -> CreditRecord:
    """What a row of the credit barrier says."""
    return CreditRecord(row["transfer_id"], Refusal(row["reason"]) if row["reason"] else None, row["at"])
