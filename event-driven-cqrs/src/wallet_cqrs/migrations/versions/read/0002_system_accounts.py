"""Adds the accounts @external and @transit to a read model. The statements are in 0002_system_accounts.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the table of system accounts."""
    execute(Path(__file__).with_suffix(".sql"))
