"""Seeds the wallets of cqrs: appends events to the log, which the relay and the projections process as usual."""

from collections.abc import Sequence
from importlib.resources import files

import asyncpg

from wallet_kernel.ids import new_transaction_id
from wallet_lab.architectures.cqrs.topology import EVENT_STORE
from wallet_lab.stack.running import RunningStack

_SEED = (files("wallet_lab.architectures.cqrs") / "seeding.sql").read_text()
_LOCK_LOG = "SELECT FROM log_head FOR UPDATE"
_WAKE_RELAY = "NOTIFY wallet_events"


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int, currency: str) -> None:
    """Open the wallets that do not exist yet, with their events and decisions. The read model catches up by itself."""
    connection = await asyncpg.connect(stack.client_url(EVENT_STORE))
    try:
        async with connection.transaction():
            await connection.execute(_LOCK_LOG)
            ids = [new_transaction_id(account) for account in accounts]
            await connection.execute(_SEED, accounts, ids, balance_micros, currency)
            await connection.execute(_WAKE_RELAY)
    finally:
        await connection.close()
