"""The system accounts of a shard. Each posting of a wallet has its other side on one of them, so a shard sums to 0."""

EXTERNAL = "@external"
"""The other side of openings, deposits and withdrawals: money outside of the system."""

TRANSIT = "@transit"
"""The other side of transfers: money between payer and payee."""


def key_owner(from_account: str, to_account: str) -> str:
    """Returns the wallet whose idempotency keys a payment uses: the payer, or the receiver of outside money."""
    return to_account if from_account == EXTERNAL else from_account
