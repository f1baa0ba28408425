"""Finds the worker of the shard that owns a slot."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from wallet_kernel.ids import slot_of_transaction
from wallet_kernel.slots import slot_of
from wallet_kernel.topology import OtherTopology, Topology
from wallet_saga.orchestrator.shard_client import ShardClient


class Shards:
    """The clients of all workers, by slot."""

    def __init__(self, topology: Topology, clients: Sequence[ShardClient]) -> None:
        self.clients = clients
        self._of_slot = [clients[shard] for shard in topology.owners]

    async def verify_topology(self) -> None:
        """Compares topologies with all workers. Raises OtherTopology if a worker's topology differs.

        A worker that is out of reach now is compared at its first response.
        """
        for compared in await asyncio.gather(
            *(c.verify_topology() for c in self.clients), return_exceptions=True
        ):
            if isinstance(compared, OtherTopology):
                raise compared

    async def require_agreement(self) -> None:
        """Checks readiness. Raises OtherTopology if the last response of a worker named another topology."""
        for client in self.clients:
            if client.disagreement:
                raise client.disagreement

    def of_account(self, account_id: str) -> ShardClient:
        """Returns the client of the shard that holds this wallet."""
        return self._of_slot[slot_of(account_id)]

    def of_transfer(self, transfer_id: UUID) -> ShardClient:
        """Returns the client of the shard whose log has this transfer. The transfer's id contains the payer's slot."""
        return self._of_slot[slot_of_transaction(transfer_id)]
