"""asyncpg as both architectures use it: what it raises when a database is away, and how it takes many rows."""

from collections.abc import Collection
from operator import attrgetter
from typing import Any

import asyncpg

DATABASE_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The driver met a connection that broke off where its own state machine does not expect it.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""A statement failed, or the connection did; of a COMMIT nobody knows which."""


def columns(rows: Collection[Any], names: str) -> list[list[Any]]:
    """The members of these rows, named with spaces between, as columns: what unnest() takes."""
    return [list(map(attrgetter(name), rows)) for name in names.split()]
