"""Alembic versions, each thin around the .sql file beside it."""
