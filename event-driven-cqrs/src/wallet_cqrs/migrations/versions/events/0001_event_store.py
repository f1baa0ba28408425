"""The first schema of the event store: everything that 0001_event_store.sql creates."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates everything."""
    execute(Path(__file__).with_suffix(".sql"))
