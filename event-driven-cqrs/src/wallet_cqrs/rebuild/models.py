"""The two read models of a shard during a rebuild: the live one in use, and the fresh one being built."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import asyncpg

from wallet_cqrs.event_log import AnotherEpoch, EventLog
from wallet_cqrs.messages import EventMessage, partition_of
from wallet_cqrs.projection.projector import diverged
from wallet_cqrs.projection.store import Store
from wallet_cqrs.read_model import LIVE_SCHEMA, Checkpoint, Fold
from wallet_cqrs.rebuild import statements
from wallet_kernel.database import Prepare, connect
from wallet_kernel.topology import OtherTopology

FRESH_SCHEMA = "read_model_fresh"
RETIRED_SCHEMA = "read_model_retired"
CHUNK_MAX = 5000

_POLL_S = 0.05


class RebuildFailed(Exception):
    """The rebuild failed. The live read model is unchanged."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences of two models at one position; empty if they are equal. At most 20 for each table."""

    position: int
    differences: list[str]


class TwinModels:
    """Both models of one shard. Use as an async context manager; only one can be open for each shard."""

    def __init__(self, number: int, url: str, prepare: Prepare | None = None) -> None:
        self._number = number
        self._url = url
        self._prepare = prepare
        self._fresh = Store(url, FRESH_SCHEMA)
        self._connection: asyncpg.Connection | None = None

    async def __aenter__(self) -> Self:
        self._connection = await connect(self._url)
        if self._prepare is not None:
            try:
                await self._prepare(self._connection)
            except OtherTopology:
                await self._owner.close()
                raise
        if not await self._owner.fetchval(statements.TRY_ALONE):
            await self._owner.close()
            raise RebuildFailed(f"another rebuild of shard {self._number} is running")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._fresh.__aexit__()
        try:
            await self._drop(FRESH_SCHEMA)
        finally:
            await self._owner.close()

    async def begin(self, epoch: UUID) -> None:
        """Creates an empty model for this epoch of the log. Drops the model of an interrupted rebuild first."""
        await self._drop(RETIRED_SCHEMA)
        await self._drop(FRESH_SCHEMA)
        await self._owner.execute(statements.CREATE, FRESH_SCHEMA)
        await self._owner.execute(statements.BEGIN_READING.format(schema=FRESH_SCHEMA), epoch)

    async def apply(self, events: Sequence[EventMessage], reached: int, partitions: int) -> None:
        """Applies this shard's events to the fresh model, as the projection does."""
        mine = [event for event in events if partition_of(event.stream_id, partitions) == self._number]
        model = await self._fresh.read({event.stream_id for event in mine})
        fold = Fold(model.wallets)
        fold.apply(mine)
        await self._fresh.write(model.state, fold, reached)

    async def require_swappable(self, log: EventLog) -> None:
        """Raises RebuildFailed or AnotherEpoch if `swap` would refuse, so that no other shard is swapped before."""
        await self._lost(log, await self._checkpoint(LIVE_SCHEMA))

    async def swap(self, log: EventLog, partitions: int) -> str | None:
        """Makes the fresh model live. Readers are not interrupted; the projection waits for some milliseconds.

        If the log lost events of the former model, returns their description. Raises RebuildFailed.
        """
        async with self._projection_paused(log, partitions) as lost:
            await self._owner.execute(statements.RENAME.format(old=LIVE_SCHEMA, new=RETIRED_SCHEMA))
            await self._owner.execute(statements.RENAME.format(old=FRESH_SCHEMA, new=LIVE_SCHEMA))
        await self._drop(RETIRED_SCHEMA)
        return lost

    async def compare(self, log: EventLog, partitions: int, timeout_s: float) -> Comparison:
        """Compares the models row by row at one position, while the projection continues."""
        self._refuse(await self._lost(log, await self._checkpoint(LIVE_SCHEMA)))
        await self._until_live_is_there(timeout_s)
        observer = await connect(self._url)
        try:
            async with observer.transaction(isolation="repeatable_read", readonly=True):
                async with self._projection_paused(log, partitions) as lost:
                    self._refuse(lost)
                    # The first query fixes this transaction's snapshot, while both models are at the same position.
                    position = await observer.fetchval(statements.CHECKPOINT.format(schema=FRESH_SCHEMA))
                return Comparison(position, await self._differences(observer))
        finally:
            await observer.close()

    @property
    def _owner(self) -> asyncpg.Connection:
        assert self._connection is not None, "TwinModels must be used as an async context manager"
        return self._connection

    @asynccontextmanager
    async def _projection_paused(self, log: EventLog, partitions: int) -> AsyncIterator[str | None]:
        """Pauses the projection while the context is open, and advances the fresh model to the live one's position.

        If the log lost events of the live model, yields their description, and does not advance the fresh model.
        """
        async with self._owner.transaction():
            await self._owner.execute(statements.PAUSE_PROJECTION.format(schema=LIVE_SCHEMA))
            live = await self._checkpoint(LIVE_SCHEMA)
            lost = await self._lost(log, live)
            if not lost:
                await self._catch_up(log, live.position, partitions)
            yield lost

    async def _lost(self, log: EventLog, live: Checkpoint) -> str | None:
        state, fresh = await log.state(live.epoch), await self._fresh.checkpoint()
        if state.epoch != fresh.epoch:
            raise AnotherEpoch(AnotherEpoch.__doc__)
        if live.position <= state.shared:
            return None
        if live.epoch == state.epoch:
            raise RebuildFailed(
                f"the live read model of shard {self._number} is at {live.position}, but the log ends at {state.head}."
                " If the event store was restored, begin a new epoch of the log (./lab new-epoch), then rebuild;"
                " if not, this is not the event store of these read shards."
            )
        return diverged(self._number, live, state)

    def _refuse(self, lost: str | None) -> None:
        if lost:
            raise RebuildFailed(f"{lost}; rebuild the read model (./lab rebuild)")

    async def _catch_up(self, log: EventLog, until: int, partitions: int) -> None:
        position, epoch = await self._fresh.checkpoint()
        assert epoch is not None, "begin() sets the epoch of a fresh model"
        async for reached, events in log.chunks(epoch, position, until, CHUNK_MAX):
            await self.apply(events, reached, partitions)

    async def _checkpoint(self, schema: str) -> Checkpoint:
        return Checkpoint(*await self._owner.fetchrow(statements.CHECKPOINT.format(schema=schema)))

    async def _until_live_is_there(self, timeout_s: float) -> None:
        """Waits until the live model has reached the position of the fresh one."""
        fresh, _ = await self._fresh.progress()
        deadline = time.monotonic() + timeout_s
        while (live := (await self._checkpoint(LIVE_SCHEMA)).position) < fresh:
            if time.monotonic() > deadline:
                raise RebuildFailed(
                    f"the live read model of shard {self._number} is at position {live} and did not reach {fresh}"
                    f" within {timeout_s:g} s; check that the projection runs"
                )
            await asyncio.sleep(_POLL_S)

    async def _differences(self, observer: asyncpg.Connection) -> list[str]:
        found: list[str] = []
        for table, (keys, others) in statements.TABLES.items():
            sql = statements.DIFFERENCES.format(
                table=table, keys=keys, others=others, live=LIVE_SCHEMA, fresh=FRESH_SCHEMA
            )
            rows = await observer.fetch(sql)
            found += [f"{table}: live {row['live']}, from the events {row['fresh']}" for row in rows]
        return found

    async def _drop(self, schema: str) -> None:
        """Drops each table in its own transaction, because locks on two tables could deadlock with a reader."""
        for table in (*statements.TABLES, "checkpoint"):
            await self._owner.execute(statements.DROP_TABLE.format(schema=schema, table=table))
        await self._owner.execute(statements.DROP_SCHEMA.format(schema=schema))
