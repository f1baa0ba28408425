"""The table `public.topology` of a database: one row with the topology and the database's shard number.

The event store, whose log all shards share, has no shard number.

The first migration writes the row from its settings. Every later migration, and every connection of a service, compares
the row with its own topology.
"""

from collections.abc import Awaitable, Callable

import asyncpg

from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.topology import OtherTopology, Placement, Topology

WALLETS_MAX = 10_000
"""The number of accounts that are compared at the same time if a database with wallets gets its topology."""


async def verify(
    connection: asyncpg.Connection,
    expected: Placement | Topology,
    settings: str = "WALLET_SHARD, WALLET_SHARDS",
) -> None:
    """Checks that a database is the expected shard, or the log of the expected topology. Raises OtherTopology.

    `settings` names the settings that determine the expectation, for the error message.
    """
    found = await _stored(connection)
    if found != expected:
        raise OtherTopology(
            f"This service is configured {_phrase(expected)}, but the database is {_found(found)}."
            f" Correct {settings} or the database's address."
        )


async def verify_if_reachable(check: Callable[[], Awaitable[object]]) -> None:
    """Runs a check at the start of a service. Raises OtherTopology.

    If the database is unreachable, the service starts; its later connections compare the topology.
    """
    try:
        await check()
    except OtherTopology:
        raise
    except DATABASE_ERRORS:
        return


async def establish(
    connection: asyncpg.Connection, placement: Placement | Topology, wallets: str = "wallets"
) -> None:
    """Writes the topology if the database has none, and compares it otherwise. Raises OtherTopology if they differ.

    `connection` belongs to the owner, inside a transaction that holds the migrations' lock. `wallets` is the table
    whose accounts must belong to the shard.
    """
    if await _stored(connection) is None:
        if isinstance(placement, Placement):
            await _require_own_wallets(connection, placement, wallets)
            shard, topology = placement.shard, placement.topology
        else:
            shard, topology = None, placement
        await connection.execute(
            "INSERT INTO public.topology (shard, shards, owners) VALUES ($1, $2, $3)",
            shard,
            topology.shards,
            topology.owners,
        )
    await verify(connection, placement)


def _found(found: Placement | Topology | None) -> str:
    return f"for {found}" if isinstance(found, Topology) else str(found or "no shard yet")


def _phrase(placement: Placement | Topology) -> str:
    return f"as {placement}" if isinstance(placement, Placement) else f"for {placement}"


async def _stored(connection: asyncpg.Connection) -> Placement | Topology | None:
    row = await connection.fetchrow("SELECT shard, shards, owners FROM public.topology")
    if row is None:
        return None
    topology = Topology(row["shards"], tuple(row["owners"]))
    return topology if row["shard"] is None else Placement(row["shard"], topology)


async def _require_own_wallets(connection: asyncpg.Connection, placement: Placement, wallets: str) -> None:
    accounts = await connection.cursor(f"SELECT account_id FROM {wallets}")  # noqa: S608 -- a name from the code
    while rows := await accounts.fetch(WALLETS_MAX):
        if account_id := placement.foreign(row["account_id"] for row in rows):
            raise OtherTopology(
                f"The database holds the wallet {account_id}, which does not belong to {placement}."
                " Give the migrations the WALLET_SHARD and WALLET_SHARDS that the database was used with."
            )
