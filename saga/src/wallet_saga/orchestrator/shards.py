"""Which shard a slot lives on."""

from collections.abc import Sequence
from uuid import UUID

from wallet_kernel.ids import slot_of_transaction
from wallet_kernel.slots import SLOTS, slot_of
from wallet_saga.orchestrator.shard_client import ShardClient


class Shards:
    """The shards by slot: a table, so that a slot with its wallets can be moved later."""

    def __init__(self, clients: Sequence[ShardClient]) -> None:
        self.clients = clients
        self._of_slot = [clients[slot * len(clients) // SLOTS] for slot in range(SLOTS)]

    def of_account(self, account_id: str) -> ShardClient:
        """The shard that holds this wallet."""
        return self._of_slot[slot_of(account_id)]

    def of_transfer(self, transfer_id: UUID) -> ShardClient:
        """The shard whose log has this transfer: its id carries the payer's slot."""
        return self._of_slot[slot_of_transaction(transfer_id)]
