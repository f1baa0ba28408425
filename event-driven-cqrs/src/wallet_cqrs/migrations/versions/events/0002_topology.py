"""The topology in the event store."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the table; the migrations fill it afterwards."""
    execute(Path(__file__).with_suffix(".sql"))
