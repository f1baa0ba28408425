"""The audit of a quiescent stack: its ledger, and the responses that its clients received."""

from collections.abc import Sequence

from wallet_lab.audit.questions import merged
from wallet_lab.audit.told import Told, reconcile
from wallet_lab.report.model import Check
from wallet_lab.stack.running import RunningStack


async def audit_stack(stack: RunningStack, told: Sequence[Told] = ()) -> list[Check]:
    """Run every check on the ledger and on the clients' responses; without a ledger there are no checks."""
    ledger = stack.adapter.ledger
    if ledger is None:
        return []
    checks = await ledger.audit(stack)
    reconciled = [
        check for one in told for check in reconcile(one, await ledger.booked(stack, f"{one.run}-"))
    ]
    return [*checks, *merged(reconciled)]
