"""The epochs of the log: everything that 0003_log_epochs.sql creates."""

from pathlib import Path

from wallet_kernel.migrations import execute

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates them."""
    execute(Path(__file__).with_suffix(".sql"))
