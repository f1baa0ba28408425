"""Adds epochs to the log. The statements are in 0003_log_epochs.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the epochs' table, view, functions and trigger."""
    execute(Path(__file__).with_suffix(".sql"))
