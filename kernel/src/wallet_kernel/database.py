"""What asyncpg raises when a database cannot be talked to, or not any more."""

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
