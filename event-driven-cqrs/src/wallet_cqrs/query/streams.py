"""Changes of wallets as Redis announces them, for those who are listening at the moment."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis

from wallet_cqrs.balance_cache import Entry, channel, parse_entry
from wallet_kernel.cache import CACHE_ERRORS

RETRY_S = 0.5

_log = logging.getLogger(__name__)


class Listener:
    """One stream's view of its wallet: the newest entry only, so a slow client costs no memory.

    `must_look`: something may have been announced while it could not hear.
    """

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._newest: Entry | None = None
        self.must_look = True

    def hear(self, entry: Entry) -> None:
        """Keeps an entry unless a newer one is kept already."""
        if self._newest is None or entry.version >= self._newest.version:
            self._newest = entry
        self._news.set()

    def subscribed(self) -> None:
        """From now on it hears everything; what came before, since its stream looked, it has missed."""
        self.must_look = True
        self._news.set()

    async def next(self, timeout_s: float) -> Entry | None:
        """The newest entry heard since the last call; None if there is none in time, or it has to look."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return None
        self._news.clear()
        entry, self._newest = self._newest, None
        return entry


class Announcements:
    """One subscription to Redis for all streams. What Redis does not deliver, streams find out by looking."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._listeners: dict[str, set[Listener]] = {}
        self._pubsub = redis.pubsub()
        self._wanted = asyncio.Event()

    @contextmanager
    def listen(self, account_id: str) -> Iterator[Listener]:
        """A listener to a wallet, for as long as the context lasts."""
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
            except (*CACHE_ERRORS, RuntimeError) as error:  # RuntimeError: the subscription has no connection
                _log.warning("announcements interrupted", extra={"cause": repr(error)})
                with contextlib.suppress(*CACHE_ERRORS):
                    await self._pubsub.aclose()  # type: ignore[no-untyped-call]
                self._pubsub = self._redis.pubsub()
                await asyncio.sleep(RETRY_S)

    async def _deliver(self) -> None:
        subscribed: set[str] = set()
        while True:
            await self._subscribe(subscribed)
            if not subscribed:
                self._wanted.clear()
                if not self._listeners:
                    await self._wanted.wait()
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
            elif kind == "message":
                listener.hear(parse_entry(data))
