"""Ends transactions that were prepared by a coordinator that died, or whose database did not confirm in time."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn

from wallet_baselines.two_phase.participant import Participant
from wallet_kernel.bulkhead import BulkheadFull
from wallet_kernel.database import DATABASE_ERRORS
from wallet_kernel.ids import slot_of_transaction
from wallet_kernel.topology import Topology

_log = logging.getLogger(__name__)


class Recovery:
    """Resolves in-doubt transactions. Any number of replicas may do so together, because the first decision is final.

    `in_doubt_s` is how long a prepared transaction is left to its own coordinator.
    """

    def __init__(self, topology: Topology, shards: Sequence[Participant], in_doubt_s: float) -> None:
        self._topology = topology
        self._shards = shards
        self._in_doubt_s = in_doubt_s

    async def run(self, interval_s: float) -> NoReturn:
        """Resolves in-doubt transactions of every shard, again and again."""
        while True:
            for shard in self._shards:
                try:
                    await self.resolve(shard)
                except (BulkheadFull, *DATABASE_ERRORS) as error:
                    _log.warning("in-doubt transactions stay", extra={"cause": repr(error)})
            await asyncio.sleep(interval_s)

    async def resolve(self, shard: Participant) -> None:
        """Ends the in-doubt transactions of one shard as their payer's shard decided, or decides to abort them."""
        for transaction_id in await shard.in_doubt(self._in_doubt_s):
            payers_shard = self._shards[self._topology.owners[slot_of_transaction(transaction_id)]]
            decision = await payers_shard.settled_decision(transaction_id)
            await shard.settle(transaction_id, decision)
            _log.warning(
                "in-doubt transaction ended", extra={"id": str(transaction_id), "decision": decision}
            )
