"""A read model's own @external and @transit accounts: 0002_system_accounts.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds them."""
    execute(Path(__file__).with_suffix(".sql"))
