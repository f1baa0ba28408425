"""The relay's one use case: everything in the log is published, in order, at least once; one group at a time.

Natural batching again: what was appended while a group was under way is the next group. A group costs the same at
the broker and in every partition whatever is in it, so one that follows at once waits a little for more.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, Protocol
from uuid import UUID

from prometheus_client import Counter, Gauge

from wallet_cqrs.messages import EventMessage
from wallet_cqrs.relay.log_tail import LogTail
from wallet_kernel.batcher import BATCH_SIZE
from wallet_kernel.runtime.readiness import NotReady
from wallet_kernel.runtime.traces import trace_step

ACTIVE = Gauge("wallet_relay_active", "1 in the relay that publishes, 0 in those that stand by.")
POSITION = Gauge("wallet_relay_position", "The last position the broker confirmed.")
PUBLISHED = Counter("wallet_relay_events", "Events the broker confirmed.")
RESTARTS = Counter("wallet_relay_restarts", "Times the relay began again from its checkpoint.")
GROUP_SIZE = BATCH_SIZE.labels("groups")

BUSY_EVENTS = 10
"""A smaller group is no sign of load: a lone client that reads what it has just written must not wait."""

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """Where groups go."""

    async def publish(self, epoch: UUID, after: int, head: int, events: Sequence[EventMessage]) -> None:
        """Returns when the group, read in this epoch of the log, is safe."""


class Relay:
    """Leads, connects, tails; when anything fails, does so again from the checkpoint. Nothing is kept in between."""

    def __init__(
        self,
        lead: Callable[[], AbstractAsyncContextManager[LogTail]],
        connect: Callable[[], AbstractAsyncContextManager[Publisher]],
        *,
        group_max: int,
        group_interval_s: float,
        heartbeat_s: float,
    ) -> None:
        self._lead = lead
        self._connect = connect
        self._group_max = group_max
        self._group_interval_s = group_interval_s
        self._heartbeat_s = heartbeat_s
        self._obstacle: str | None = None
        self._backoff_s = BACKOFF_FIRST_S

    async def check(self) -> None:
        """Raises NotReady while something keeps this relay from publishing, or from standing by."""
        if self._obstacle is not None:
            raise NotReady(self._obstacle)

    async def run(self) -> NoReturn:
        """Relays until cancelled."""
        while True:
            try:
                await self._relay()
            except Exception as error:  # noqa: BLE001 -- the relay must outlive every outage
                self._obstacle = repr(error)
                _log.warning("the relay will begin again", extra={"cause": repr(error)})
            finally:
                ACTIVE.set(0)
            RESTARTS.inc()
            await asyncio.sleep(random.uniform(self._backoff_s / 2, self._backoff_s))
            self._backoff_s = min(2 * self._backoff_s, BACKOFF_MAX_S)

    async def _relay(self) -> NoReturn:
        async with self._lead() as log, self._connect() as publisher:
            position = await log.start()
            ACTIVE.set(1)
            _log.info("active", extra={"checkpoint": position, "epoch": str(log.epoch)})
            while True:
                begin_s = asyncio.get_running_loop().time()
                after, position = position, await self._publish_next(log, publisher, position)
                if BUSY_EVENTS <= position - after < self._group_max:
                    await asyncio.sleep(begin_s + self._group_interval_s - asyncio.get_running_loop().time())

    async def _publish_next(self, log: LogTail, publisher: Publisher, position: int) -> int:
        """Publishes the next group, or after a while without one a heartbeat; returns where the log then is."""
        events = await log.after(position, self._group_max)
        if not events:
            await log.advance(position, at_once=True)
            if await log.wait(self._heartbeat_s):
                return position
        head = position + len(events)
        begin_ns = time.time_ns()
        await publisher.publish(log.epoch, position, head, events)
        trace_step("publish", (event.transaction_id for event in events), begin_ns)
        self._obstacle, self._backoff_s = None, BACKOFF_FIRST_S
        await log.advance(head, at_once=False)
        POSITION.set(head)
        PUBLISHED.inc(len(events))
        if events:
            GROUP_SIZE.observe(len(events))
        return head
