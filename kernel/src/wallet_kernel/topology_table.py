"""The table `public.topology` of a shard's database: one row that says which shard it is, of which topology.

The migrations write the row once, from their settings. Every later migration, and every connection of a service,
compares it with its own.
"""

import asyncpg

from wallet_kernel.topology import OtherTopology, Placement, Topology

WALLETS_MAX = 10_000
"""Accounts that are compared at once when a database that already has wallets gets its topology."""


async def verify(connection: asyncpg.Connection, expected: Placement) -> None:
    """Checks that a database is the expected shard. Raises OtherTopology."""
    found = await _stored(connection)
    if found != expected:
        raise OtherTopology(
            f"This service is configured as {expected}, but the database is {found or 'no shard yet'}."
            " Correct WALLET_SHARD, WALLET_SHARDS or the database's address."
        )


async def establish(connection: asyncpg.Connection, placement: Placement) -> None:
    """Writes the topology where there is none, and compares it where there is one. Raises OtherTopology.

    `connection` belongs to the owner, inside a transaction that holds the migrations' lock.
    """
    if await _stored(connection) is None:
        await _require_own_wallets(connection, placement)
        await connection.execute(
            "INSERT INTO public.topology (shard, shards, owners) VALUES ($1, $2, $3)",
            placement.shard,
            placement.topology.shards,
            placement.topology.owners,
        )
    await verify(connection, placement)


async def _stored(connection: asyncpg.Connection) -> Placement | None:
    row = await connection.fetchrow("SELECT shard, shards, owners FROM public.topology")
    return Placement(row["shard"], Topology(row["shards"], tuple(row["owners"]))) if row else None


async def _require_own_wallets(connection: asyncpg.Connection, placement: Placement) -> None:
    wallets = await connection.cursor("SELECT account_id FROM wallets")
    while rows := await wallets.fetch(WALLETS_MAX):
        if account_id := placement.foreign(row["account_id"] for row in rows):
            raise OtherTopology(
                f"The database holds the wallet {account_id}, which does not belong to {placement}."
                " Give the migrations the WALLET_SHARD and WALLET_SHARDS that the database was used with."
            )
