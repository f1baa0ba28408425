"""Publishes all events of the log in order and at least once, one batch at a time.

The events appended while a batch is being published form the next batch. The costs of a batch at the broker and at the
partitions do not depend on its size. So a busy relay waits for more events before the next batch (`interval_after`).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, Protocol
from uuid import UUID

from prometheus_client import Counter, Gauge, Histogram

from wallet_cqrs.messages import EventMessage, age_s
from wallet_cqrs.relay.log_tail import LogTail
from wallet_kernel.backoff import Backoff
from wallet_kernel.batcher import BATCH_SIZE
from wallet_kernel.endpoint import LATENCY_BUCKETS_S
from wallet_kernel.runtime.readiness import NotReady
from wallet_kernel.runtime.traces import trace_step

ACTIVE = Gauge("wallet_relay_active", "1 in the relay that publishes, 0 in standbys.")
POSITION = Gauge("wallet_relay_position", "The last position the broker confirmed.")
PUBLISHED = Counter("wallet_relay_events", "Events the broker confirmed.")
RESTARTS = Counter("wallet_relay_restarts", "Times the relay restarted from its checkpoint.")
AGE = Histogram(
    "wallet_published_seconds",
    "Time from the middle event of a batch until the broker has confirmed it.",
    buckets=LATENCY_BUCKETS_S,
)
EVENT_BATCH_SIZE = BATCH_SIZE.labels("groups")

BUSY_EVENTS = 10
"""Batches below this size do not count as load, because a single client must not wait to read its own write."""

INTERVAL_PER_EVENT_S = 0.0002
INTERVAL_MAX_S = 0.05
"""The interval delays readers that wait for a position, but no writer."""

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0

_log = logging.getLogger(__name__)


def interval_after(events: int, least_s: float) -> float:
    """Returns the least seconds from the start of a batch of so many events to the start of the next one.

    A batch starts when the relay begins to wait for its events. A small batch causes no interval. A larger one causes
    `least_s`, or an interval in proportion to its size if that is longer.
    """
    if events < BUSY_EVENTS:
        return 0.0
    return max(least_s, min(events * INTERVAL_PER_EVENT_S, INTERVAL_MAX_S))


class Publisher(Protocol):
    """Publishes batches of events."""

    async def publish(self, epoch: UUID, after: int, head: int, events: Sequence[EventMessage]) -> None:
        """Publishes a batch that was read in this epoch of the log. Returns when it is confirmed."""


class Relay:
    """Becomes active, connects to the broker and tails the log. After any failure, restarts from the checkpoint."""

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
        self._backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S)

    async def check(self) -> None:
        """Raises NotReady while a failure prevents this relay from publishing or from being a standby."""
        if self._obstacle is not None:
            raise NotReady(self._obstacle)

    async def run(self) -> NoReturn:
        """Relays until cancelled."""
        while True:
            try:
                await self._relay()
            except Exception as error:  # noqa: BLE001 -- the relay must outlive every outage
                self._obstacle = repr(error)
                _log.warning("the relay restarts from its checkpoint", extra={"cause": repr(error)})
            finally:
                ACTIVE.set(0)
            RESTARTS.inc()
            await self._backoff.pause()

    async def _relay(self) -> NoReturn:
        async with self._lead() as log, self._connect() as publisher:
            position = await log.start()
            ACTIVE.set(1)
            _log.info("active", extra={"checkpoint": position, "epoch": str(log.epoch)})
            while True:
                begin_s = asyncio.get_running_loop().time()
                after, position = position, await self._publish_next(log, publisher, position)
                if position - after < self._group_max:
                    next_s = begin_s + interval_after(position - after, self._group_interval_s)
                    await asyncio.sleep(next_s - asyncio.get_running_loop().time())

    async def _publish_next(self, log: LogTail, publisher: Publisher, position: int) -> int:
        """Publishes the next batch, or a heartbeat if there are no events. Returns the position reached."""
        came = not log.caught_up or await log.wait(self._heartbeat_s)
        events = await log.after(position, self._group_max)
        if not events:
            if came:  # the last read returned that append already
                return position
            await log.advance(position, at_once=True)
        head = position + len(events)
        begin_ns = time.time_ns()
        await publisher.publish(log.epoch, position, head, events)
        trace_step("publish", (event.transaction_id for event in events), begin_ns)
        self._obstacle = None
        self._backoff.reset()
        await log.advance(head, at_once=False)
        POSITION.set(head)
        PUBLISHED.inc(len(events))
        if events:
            EVENT_BATCH_SIZE.observe(len(events))
            AGE.observe(age_s(events, time.time()))
        return head
