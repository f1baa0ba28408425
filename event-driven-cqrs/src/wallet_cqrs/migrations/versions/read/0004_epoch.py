"""The log's epoch in a read model's checkpoint: 0004_epoch.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds it."""
    execute(Path(__file__).with_suffix(".sql"))
