"""Adds the topology table to a read shard's database."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the table. The migrations write its row afterwards."""
    execute(Path(__file__).with_suffix(".sql"))
