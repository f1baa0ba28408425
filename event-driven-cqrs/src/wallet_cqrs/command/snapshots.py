"""Writes snapshots of wallets in the background, so that commands do not wait for them."""

import asyncio
import logging
from collections.abc import Sequence

from prometheus_client import Counter

from wallet_cqrs.command.event_store import EventStore
from wallet_cqrs.domain.wallet import Wallet
from wallet_kernel.database import DATABASE_ERRORS

SNAPSHOTS = Counter("wallet_snapshots", "Snapshots by result: written or dropped.", ["result"])

WAITING_MAX = 10_000
"""The most snapshots that wait. Further snapshots are dropped; loading then folds a few more events."""

_log = logging.getLogger(__name__)


class SnapshotWriter:
    """Writes snapshots; one statement writes all that are queued. `every` is the number of versions between two."""

    def __init__(self, store: EventStore, every: int) -> None:
        self._store = store
        self._waiting: list[Wallet] = []
        self._task: asyncio.Task[None] | None = None
        self._kept, self._left_out = SNAPSHOTS.labels("kept"), SNAPSHOTS.labels("left-out")
        self.every = every

    def add(self, wallets: Sequence[Wallet]) -> None:
        """Queues these snapshots, and starts the writing task if it does not run."""
        room = WAITING_MAX - len(self._waiting)
        self._waiting += wallets[:room]
        self._left_out.inc(len(wallets[room:]))
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._write())

    async def drain(self) -> None:
        """Waits until all queued snapshots are written or dropped."""
        if self._task is not None:
            await self._task

    async def _write(self) -> None:
        while self._waiting:
            wallets, self._waiting = self._waiting, []
            try:
                await self._store.add_snapshots(wallets)
                self._kept.inc(len(wallets))
            except DATABASE_ERRORS as error:
                _log.warning("snapshots dropped", extra={"count": len(wallets), "cause": repr(error)})
                self._left_out.inc(len(wallets))
