"""Alembic versions. Each one executes the .sql file of the same name."""
