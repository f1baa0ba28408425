"""Ends transactions that were prepared by a coordinator that died, or whose database did not confirm in time."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn
from uuid import UUID

from wallet_baselines.two_phase.participant import Participant
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
            await asyncio.gather(*map(self._resolve_shard, self._shards))
            await asyncio.sleep(interval_s)

    async def _resolve_shard(self, shard: Participant) -> None:
        try:
            in_doubt = await shard.in_doubt(self._in_doubt_s)
            # Each on its own, because one of them may need a payer's shard that is down.
            results = await asyncio.gather(
                *(self._resolve(shard, one) for one in in_doubt), return_exceptions=True
            )
            for error in filter(None, results):
                raise error
        except Exception as error:  # noqa: BLE001 -- recovery must survive every outage
            _log.warning("in-doubt transactions stay", extra={"cause": repr(error)})

    async def _resolve(self, shard: Participant, transaction_id: UUID) -> None:
        """Ends a shard's in-doubt transaction as the payer's shard decided, or decides to abort it."""
        payers_shard = self._shards[self._topology.owners[slot_of_transaction(transaction_id)]]
        decision = await payers_shard.settled_decision(transaction_id)
        await shard.settle(transaction_id, decision)
        _log.warning("in-doubt transaction ended", extra={"id": str(transaction_id), "decision": decision})
