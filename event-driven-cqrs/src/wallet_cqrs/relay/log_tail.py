"""Reads the log for the active relay. The active relay holds an advisory lock in a session of the event store."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from wallet_cqrs.event_log import CONTINUE, events_of
from wallet_cqrs.messages import EventMessage
from wallet_kernel.database import RELEASES_LOCKS, Prepare, connect, session

STATEMENT_TIMEOUT_S = 5.0
CHECKPOINT_INTERVAL_S = 0.1
"""How often a relay writes its checkpoint between heartbeats. After a crash, later events are published again."""

SAYS_SOMETHING_S = 1.0
"""The session with the lock is used at least this often, because the event store ends the session of a paused relay."""

_LOCK = 3
_CHANNEL = "wallet_events"
"""Every append notifies this channel at its commit (command/statements.py)."""
_SESSION = session("wallet-relay", statement_timeout_s=STATEMENT_TIMEOUT_S, **RELEASES_LOCKS)
_AFTER = """
SELECT l.epoch, e.* FROM log_state l LEFT JOIN LATERAL (
    SELECT position, stream_id, version, type, schema_version, transaction_id, data, at
    FROM events WHERE position > $1 ORDER BY position LIMIT $2
) e ON true ORDER BY e.position
"""


class GapInLog(Exception):
    """A position is missing. Positions are committed in order, so the log or its lock is defective."""


class NotActive(Exception):
    """The session that held the lock ended. Another relay may be active meanwhile."""


class LogTail:
    """Reads new events, and writes the relay's checkpoint. `leader` is the session that holds the lock.

    `epoch` is the log's epoch; `start` sets it. `caught_up`: the last read returned all events, so that a notification
    will announce the next one.
    """

    epoch: UUID
    caught_up = False

    def __init__(self, leader: asyncpg.Connection, reader: asyncpg.Connection) -> None:
        self._leader = leader
        self._reader = reader
        self._appended = asyncio.Event()
        self._written = 0
        self._written_at = 0.0
        self._used_at = time.monotonic()

    async def start(self) -> int:
        """Starts to listen, and returns the checkpoint, or the log's head if the head is lower.

        The projections detect the events skipped by that as a gap, and read them from the event store.
        """
        await self._reader.add_listener(_CHANNEL, lambda *_: self._appended.set())
        row = await self._leader.fetchrow(CONTINUE)
        self.epoch = row["epoch"]
        self._written = await self._leader.fetchval("SELECT position FROM relay_checkpoint")
        return min(self._written, int(row["position"]))

    async def after(self, position: int, limit: int) -> list[EventMessage]:
        """Returns the next events, without a gap. Raises GapInLog, NotActive, AnotherEpoch."""
        if self._leader.is_closed():
            raise NotActive(NotActive.__doc__)
        if time.monotonic() - self._used_at > SAYS_SOMETHING_S:
            await self._use("SELECT 1")
        self._appended.clear()
        events = events_of(self.epoch, await self._reader.fetch(_AFTER, position, limit))
        self.caught_up = len(events) < limit
        return _without_gap(position, events)

    async def wait(self, timeout_s: float) -> bool:
        """Waits for an append since the last call of `after`. Returns False at the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._appended.wait()
        except TimeoutError:
            return False

    async def advance(self, position: int, *, at_once: bool) -> None:
        """Writes the checkpoint after the broker's confirmation. May postpone the write unless `at_once`."""
        now = time.monotonic()
        if position == self._written or not (at_once or now - self._written_at > CHECKPOINT_INTERVAL_S):
            return
        await self._use("UPDATE relay_checkpoint SET position = $1", position)
        self._written, self._written_at = position, now

    async def _use(self, statement: str, *arguments: int) -> None:
        await self._leader.execute(statement, *arguments)
        self._used_at = time.monotonic()


def _without_gap(position: int, events: list[EventMessage]) -> list[EventMessage]:
    if not events or events[-1].position == position + len(events):  # positions are unique and in order
        return events
    whole = [event for n, event in enumerate(events, position + 1) if event.position == n]
    if not whole:
        raise GapInLog(f"the event after position {position} has position {events[0].position}")
    return whole


@asynccontextmanager
async def leading(
    url: str, takeover_s: float, silence_max_s: float = 15.0, prepare: Prepare | None = None
) -> AsyncIterator[LogTail]:
    """Waits for the lock, and keeps this relay active while the context is open.

    If the session is not used for `silence_max_s`, the event store ends it and releases the lock, because the relay is
    paused. `prepare` runs on the session before it requests the lock. It compares the topology.
    """
    leader = await _connect(url, idle_session_timeout=str(int(silence_max_s * 1000)))
    try:
        if prepare is not None:
            await prepare(leader)
        await _until_active(leader, takeover_s)
        reader = await _connect(url)
        try:
            yield LogTail(leader, reader)
        finally:
            reader.terminate()
    finally:
        # Ending the session releases the lock.
        leader.terminate()


async def _until_active(leader: asyncpg.Connection, takeover_s: float) -> None:
    while True:
        if await leader.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return
        await asyncio.sleep(takeover_s)


async def _connect(url: str, **settings: str) -> asyncpg.Connection:
    return await connect(url, command_timeout=STATEMENT_TIMEOUT_S, server_settings=_SESSION | settings)
