"""The first schema of the event store. It is in 0001_event_store.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the schema."""
    execute(Path(__file__).with_suffix(".sql"))
