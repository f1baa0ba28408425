"""Adds the topology table to the event store."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the table. The migrations write its row afterwards."""
    execute(Path(__file__).with_suffix(".sql"))
