"""The topology in each read shard's database."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the table; the migrations fill it afterwards."""
    execute(Path(__file__).with_suffix(".sql"))
