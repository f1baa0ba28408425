"""Loads SQL statements from files."""

from importlib.resources import files


def read_statement(package: str, name: str) -> str:
    """Returns the statement in the file `sql/<name>.sql` of this package."""
    return (files(package) / "sql" / f"{name}.sql").read_text()
