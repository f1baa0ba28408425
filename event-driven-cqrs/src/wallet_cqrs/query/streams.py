"""Wakes streams: by announcements of their wallet's changes in Redis, and by a shared heartbeat timer."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import Entry, channel, found_entry
from wallet_kernel.redis_client import CACHE_ERRORS
from wallet_kernel.runtime.lifecycle import Lifecycle

RETRY_S = 0.5
TICK_MAX_S = 0.25
"""How long it may take until a stream notices that the service drains."""

_log = logging.getLogger(__name__)


class Listener:
    """One stream's wakeups. It keeps only the newest entry, so a slow client does not use more memory.

    `must_look`: an announcement may be lost, so the stream must read the balance. `is_due`: a heartbeat is due.
    """

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._newest: Entry | None = None
        self.must_look = True
        self.is_due = False

    def receive(self, entry: Entry) -> None:
        """Stores an entry, unless a newer one of the same epoch is stored."""
        if self._newest is None or entry.replaces(self._newest) or entry.version == self._newest.version:
            self._newest = entry
        self._news.set()

    def subscribed(self) -> None:
        """Records that the subscription is active. The stream must read once for changes before that."""
        self.must_look = True
        self._news.set()

    def beat(self) -> None:
        """Records that a heartbeat is due."""
        self.is_due = True
        self._news.set()

    async def next(self) -> Entry | None:
        """Waits, and returns the newest entry since the last call; None if the stream must read or send a heartbeat."""
        await self._news.wait()
        self._news.clear()
        entry, self._newest = self._newest, None
        return entry


class Heartbeats:
    """One timer for all streams. Each gets a heartbeat every `interval_s`; each tick serves a share of them."""

    def __init__(self, interval_s: float, lifecycle: Lifecycle) -> None:
        ticks = max(1, round(interval_s / TICK_MAX_S))
        self._tick_s = interval_s / ticks
        self._due_with: list[set[Listener]] = [set() for _ in range(ticks)]
        self._turns = cycle(self._due_with)
        self._newest = self._due_with[-1]
        self._lifecycle = lifecycle

    @property
    def draining(self) -> bool:
        """Whether streams must end."""
        return self._lifecycle.draining

    @contextmanager
    def reach(self, listener: Listener) -> Iterator[None]:
        """Sends heartbeats to the listener while the context is open, the first after one interval."""
        due = self._newest
        due.add(listener)
        try:
            yield
        finally:
            due.discard(listener)

    async def run(self) -> None:
        """Sends heartbeats until cancelled. While the service drains, each tick reaches every listener."""
        while True:
            await asyncio.sleep(self._tick_s)
            self._newest = next(self._turns)
            for listeners in self._due_with if self.draining else [self._newest]:
                for listener in listeners:
                    listener.beat()


class Announcements:
    """One Redis subscription for all streams. If Redis loses an announcement, the streams read the balance."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._listeners: dict[str, set[Listener]] = {}
        self._pubsub = redis.pubsub()
        self._wanted = asyncio.Event()

    @contextmanager
    def listen(self, account_id: str) -> Iterator[Listener]:
        """Subscribes a listener to a wallet while the context is open."""
        name, listener = channel(account_id), Listener()
        self._listeners.setdefault(name, set()).add(listener)
        self._wanted.set()
        try:
            yield listener
        finally:
            self._listeners[name].discard(listener)
            if not self._listeners[name]:
                del self._listeners[name]
            self._wanted.set()

    async def run(self) -> None:
        """Delivers announcements until cancelled."""
        while True:
            try:
                await self._deliver()
            except CACHE_ERRORS as error:  # RuntimeError if the subscription has no connection
                _log.warning("announcements interrupted", extra={"cause": repr(error)})
                with contextlib.suppress(*CACHE_ERRORS):
                    await self._pubsub.aclose()  # type: ignore[no-untyped-call]
                self._pubsub = self._redis.pubsub()
                await asyncio.sleep(RETRY_S)

    async def _deliver(self) -> None:
        subscribed: set[str] = set()
        self._wanted.set()
        while True:
            if self._wanted.is_set() or not subscribed:
                await self._wanted.wait()
                self._wanted.clear()
                await self._subscribe(subscribed)
                continue
            message = await self._pubsub.get_message(timeout=0.1)
            if message is not None:
                self._spread(message["type"], message["channel"].decode(), message["data"])

    async def _subscribe(self, subscribed: set[str]) -> None:
        wanted = set(self._listeners)
        if new := wanted - subscribed:
            await self._pubsub.subscribe(*new)
        if old := subscribed - wanted:
            await self._pubsub.unsubscribe(*old)
        subscribed.clear()
        subscribed.update(wanted)

    def _spread(self, kind: str, name: str, data: bytes) -> None:
        for listener in self._listeners.get(name, ()):
            if kind == "subscribe":
                listener.subscribed()
            elif kind == "message" and (entry := found_entry(data)):
                listener.receive(entry)
