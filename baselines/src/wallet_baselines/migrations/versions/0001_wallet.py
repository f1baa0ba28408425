"""Creates the first schema, with 0001_wallet.sql."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the tables, constraints, triggers and grants."""
    execute(Path(__file__).with_suffix(".sql"))
