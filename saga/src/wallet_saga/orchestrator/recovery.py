"""Ends the sagas that others left behind: claims them from every shard by lease, and drives them on."""

import asyncio
import contextlib
import logging

from msgspec.msgpack import Decoder
from prometheus_client import Counter

from wallet_saga.orchestrator.coordinator import Attempt, Coordinator, Drive
from wallet_saga.orchestrator.saga import resumed
from wallet_saga.orchestrator.shard_client import ShardClient
from wallet_saga.orchestrator.shards import Shards
from wallet_saga.protocol import Claim, TransferRecord

CLAIMED = Counter("wallet_sagas_claimed", "Leases on abandoned sagas that recovery took.")
RECOVERED = Counter("wallet_sagas_recovered", "Abandoned sagas that recovery drove to a decision.")

CLAIM_MAX = 500

_RECORDS = Decoder(list[TransferRecord])

_log = logging.getLogger(__name__)


class Recovery:
    """One loop a shard. All steps are idempotent, so a live and a recovering orchestrator do no harm together."""

    def __init__(self, shards: Shards, coordinator: Coordinator, interval_s: float, lease_s: float) -> None:
        self._shards = shards
        self._coordinator = coordinator
        self._interval_s = interval_s
        self._lease_s = lease_s
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to look for abandoned sagas."""
        self._loops = [asyncio.create_task(self._watch(shard)) for shard in self._shards.clients]

    async def close(self) -> None:
        """Stops; what is unfinished will be claimed by somebody else."""
        for loop in self._loops:
            loop.cancel()
        for loop in self._loops:
            with contextlib.suppress(asyncio.CancelledError):
                await loop

    async def _watch(self, shard: ShardClient) -> None:
        while True:
            try:
                claimed = await shard.ask("/claim", Claim(CLAIM_MAX, self._lease_s), _RECORDS)
                CLAIMED.inc(len(claimed))
                await asyncio.gather(*map(self._recover, claimed))
            except Exception as error:  # noqa: BLE001 - recovery itself must survive every outage
                _log.warning("recovery will try again", extra={"cause": repr(error)})
                claimed = []
            if len(claimed) < CLAIM_MAX:
                await asyncio.sleep(self._interval_s)

    async def _recover(self, record: TransferRecord) -> None:
        try:
            async with asyncio.timeout(self._lease_s):
                await self._coordinator.decide(Drive(resumed(record), Attempt()))
            RECOVERED.inc()
        except Exception as error:  # noqa: BLE001 - one saga that cannot be ended now must not hold up the others
            _log.warning("saga not ended yet", extra={"transfer": record.transfer_id, "cause": repr(error)})
