"""Which shard a slot lives on."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from wallet_kernel.ids import slot_of_transaction
from wallet_kernel.slots import slot_of
from wallet_kernel.topology import OtherTopology, Topology
from wallet_saga.orchestrator.shard_client import ShardClient


class Shards:
    """The shards' workers by slot."""

    def __init__(self, topology: Topology, clients: Sequence[ShardClient]) -> None:
        self.clients = clients
        self._of_slot = [clients[shard] for shard in topology.owners]

    async def verify_topology(self) -> None:
        """Raises OtherTopology if a worker serves another one. A worker out of reach is compared when it answers."""
        for compared in await asyncio.gather(
            *(c.verify_topology() for c in self.clients), return_exceptions=True
        ):
            if isinstance(compared, OtherTopology):
                raise compared

    async def require_agreement(self) -> None:
        """Raises OtherTopology if the last answer of a worker came from another topology."""
        for client in self.clients:
            if client.disagreement:
                raise client.disagreement

    def of_account(self, account_id: str) -> ShardClient:
        """The shard that holds this wallet."""
        return self._of_slot[slot_of(account_id)]

    def of_transfer(self, transfer_id: UUID) -> ShardClient:
        """The shard whose log has this transfer: its id carries the payer's slot."""
        return self._of_slot[slot_of_transaction(transfer_id)]
