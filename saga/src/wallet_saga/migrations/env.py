"""Alembic's environment."""

from wallet_kernel.migrations import migrate

migrate()
