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

PASSED_OVER_PAUSE_S = 0.1
"""Between two full claims, while sagas are passed over whose payee's shard does not answer."""

_RECORDS = Decoder(list[TransferRecord])

_log = logging.getLogger(__name__)


class Recovery:
    """One loop a shard. All steps are idempotent, so a live and a recovering orchestrator do no harm together."""

    def __init__(self, shards: Shards, coordinator: Coordinator, interval_s: float, lease_s: float) -> None:
        self._shards = shards
        self._coordinator = coordinator
        self._interval_s = interval_s
        self._lease_s = lease_s
        self._silent: set[ShardClient] = set()
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
            claimed = await self._claim(shard)
            # What cannot be ended now keeps its lease: thousands of them would hold up the others, lease by lease.
            within_reach = [record for record in claimed if self._payee(record) not in self._silent]
            await asyncio.gather(*map(self._recover, within_reach))
            if len(claimed) < CLAIM_MAX:
                await asyncio.sleep(self._interval_s)
            elif len(within_reach) < CLAIM_MAX:
                await asyncio.sleep(PASSED_OVER_PAUSE_S)

    async def _claim(self, shard: ShardClient) -> list[TransferRecord]:
        """Sagas that nobody drives; whether the shard answers is known from now on."""
        try:
            claimed = await shard.ask("/claim", Claim(CLAIM_MAX, self._lease_s), _RECORDS)
        except Exception as error:  # noqa: BLE001 - recovery itself must survive every outage
            _log.warning("recovery will try again", extra={"cause": repr(error)})
            self._silent.add(shard)
            return []
        self._silent.discard(shard)
        CLAIMED.inc(len(claimed))
        return claimed

    def _payee(self, record: TransferRecord) -> ShardClient:
        return self._shards.of_account(record.to_account)

    async def _recover(self, record: TransferRecord) -> None:
        try:
            async with asyncio.timeout(self._lease_s):
                await self._coordinator.decide(Drive(resumed(record), Attempt()))
            RECOVERED.inc()
        except Exception as error:  # noqa: BLE001 - one saga that cannot be ended now must not hold up the others
            _log.warning("saga not ended yet", extra={"transfer": record.transfer_id, "cause": repr(error)})
