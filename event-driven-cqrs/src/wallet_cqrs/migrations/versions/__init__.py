"""Alembic migrations. Each runs the .sql file of the same name."""
