"""The first schema of a read shard: everything that 0001_read_model.sql creates."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates everything."""
    execute(Path(__file__).with_suffix(".sql"))
