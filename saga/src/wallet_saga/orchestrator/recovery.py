"""Recovers abandoned sagas: claims them from every shard by lease and drives them to their end."""

import asyncio
import logging
from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from typing import NoReturn

from msgspec.msgpack import Decoder
from prometheus_client import Counter

from wallet_kernel.attempt import Attempt
from wallet_kernel.tasks import background
from wallet_saga.domain.commands import TransferRecord
from wallet_saga.domain.saga import resumed
from wallet_saga.messages import Claim
from wallet_saga.orchestrator.coordinator import Coordinator, Drive
from wallet_saga.orchestrator.shard_client import ShardClient, Shards

CLAIMED = Counter("wallet_sagas_claimed", "Leases on abandoned sagas that recovery took.")
RECOVERED = Counter("wallet_sagas_recovered", "Abandoned sagas that recovery drove to a decision.")

CLAIM_MAX = 500

DRIVEN_MAX = 1000
"""Sagas of one payer's shard that recovery drives at the same time toward one payee's shard. Further sagas keep their
lease and are claimed again when it expires. So a stuck payee's shard does not delay the sagas of other shards."""

PACE_S = 0.1
"""After a full claim, recovery waits for its sagas to end, but only this long, before it claims more."""

PRECEDENCE_INTERVALS = 2
"""While an orchestrator cannot end sagas, it leaves expired leases to the others for this many of their intervals. An
orchestrator that has lost only its own way to a shard would otherwise claim the sagas of that shard again and again."""

_RECORDS = Decoder(list[TransferRecord])

_log = logging.getLogger(__name__)


class Recovery:
    """Runs one recovery loop per shard.

    Two orchestrators may drive the same saga at the same time, because all steps are idempotent.
    """

    def __init__(self, shards: Shards, coordinator: Coordinator, interval_s: float, lease_s: float) -> None:
        self._shards = [
            ShardRecovery(shard, shards, coordinator, interval_s, lease_s) for shard in shards.clients
        ]

    def running(self) -> AbstractAsyncContextManager[None]:
        """Runs the loops while the body runs.

        After that, another orchestrator claims the unfinished sagas when their leases expire.
        """
        return background(*(shard.watch() for shard in self._shards))


class ShardRecovery:
    """Recovers the sagas of one payer's shard."""

    def __init__(
        self,
        payer: ShardClient,
        shards: Shards,
        coordinator: Coordinator,
        interval_s: float,
        lease_s: float,
    ) -> None:
        self._payer = payer
        self._shards = shards
        self._coordinator = coordinator
        self._interval_s = interval_s
        self._lease_s = lease_s
        self._driven: defaultdict[ShardClient, set[asyncio.Task[None]]] = defaultdict(set)
        self._failing_until = 0.0

    async def watch(self) -> NoReturn:
        """Claims and drives abandoned sagas until cancelled."""
        try:
            while True:
                claimed = await self._claim()
                for record in claimed:
                    self._drive(record)
                await self._pause(is_full=len(claimed) == CLAIM_MAX)
        finally:
            for task in self._tasks():
                task.cancel()

    async def _claim(self) -> list[TransferRecord]:
        try:
            claimed = await self._payer.ask("/claim", self._next_claim(), _RECORDS)
        except Exception as error:  # noqa: BLE001 - the loop must survive every outage
            _log.warning("claim failed; recovery will retry", extra={"cause": repr(error)})
            return []
        CLAIMED.inc(len(claimed))
        return claimed

    def _next_claim(self) -> Claim:
        is_failing = asyncio.get_running_loop().time() < self._failing_until
        expired_for_s = PRECEDENCE_INTERVALS * self._interval_s if is_failing else 0.0
        return Claim(CLAIM_MAX, self._lease_s, expired_for_s)

    def _drive(self, record: TransferRecord) -> None:
        driven = self._driven[self._shards.of_account(record.to_account)]
        if len(driven) < DRIVEN_MAX:
            task = asyncio.create_task(self._recover(record))
            driven.add(task)
            task.add_done_callback(driven.discard)

    async def _recover(self, record: TransferRecord) -> None:
        try:
            async with asyncio.timeout(self._lease_s):
                await self._coordinator.decide(Drive(resumed(record), Attempt()))
            RECOVERED.inc()
        except Exception as error:  # noqa: BLE001 - one failing saga must not stop the others
            self._failing_until = asyncio.get_running_loop().time() + 2 * self._lease_s
            _log.warning(
                "saga not ended yet", extra={"transfer": record.transaction_id, "cause": repr(error)}
            )

    async def _pause(self, *, is_full: bool) -> None:
        if is_full and (tasks := self._tasks()):
            await asyncio.wait(tasks, timeout=PACE_S)
        else:
            await asyncio.sleep(self._interval_s)

    def _tasks(self) -> set[asyncio.Task[None]]:
        return set().union(*self._driven.values())
