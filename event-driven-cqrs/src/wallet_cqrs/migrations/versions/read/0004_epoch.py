"""Adds the log's epoch to a read model's checkpoint. The statements are in 0004_epoch.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the columns `epoch` and `diverged`."""
    execute(Path(__file__).with_suffix(".sql"))
