"""The first schema of a read shard. It is in 0001_read_model.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the schema."""
    execute(Path(__file__).with_suffix(".sql"))
