"""The audit of a quiescent stack: its ledger, and the responses that its clients received."""

from collections.abc import Sequence

from wallet_lab.audit.cqrs import audit_cqrs
from wallet_lab.audit.questions import merged
from wallet_lab.audit.saga import audit_saga
from wallet_lab.audit.sessions import looking_at
from wallet_lab.audit.told import Booked, Told, reconcile
from wallet_lab.report.model import Check
from wallet_lab.stack.running import RunningStack

_SAGA = """
    SELECT idempotency_key, transfer_id::text, CASE state WHEN 'debited' THEN NULL ELSE state = 'completed' END,
           amount_micros
    FROM transfers WHERE kind = 'transfer' AND starts_with(idempotency_key, $1)
"""
_CQRS = """
    SELECT idempotency_key, transaction_id::text, reason IS NULL, amount_micros
    FROM decisions WHERE kind = 'transfer' AND starts_with(idempotency_key, $1)
"""


async def audit_stack(stack: RunningStack, told: Sequence[Told] = ()) -> list[Check]:
    """Run every check on the ledger and on the clients' responses; noop keeps no ledger and has no checks."""
    if stack.architecture == "noop":
        return []
    checks = await _audit_books(stack)
    reconciled = [check for one in told for check in reconcile(one, await _booked(stack, one.run))]
    return [*checks, *merged(reconciled)]


async def _audit_books(stack: RunningStack) -> list[Check]:
    if stack.architecture == "saga":
        return await audit_saga(stack.database_urls, stack.redis_url)
    return await audit_cqrs(stack.event_store_url, stack.database_urls, stack.redis_url)


async def _booked(stack: RunningStack, run: str) -> list[Booked]:
    """Return the transfers that the databases hold under a run's idempotency keys."""
    in_saga = stack.architecture == "saga"
    async with looking_at(stack.database_urls if in_saga else [stack.event_store_url]) as databases:
        found = [await database.fetch(_SAGA if in_saga else _CQRS, f"{run}-") for database in databases]
    return [Booked(*row) for rows in found for row in rows]
