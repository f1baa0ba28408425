"""Runs a service: opens its resources, serves its ports, drains on SIGTERM, and closes its resources.

No request fails in a drain. The ports close, and the service still serves requests on open connections. Each of these
responses says `Connection: close`, so clients send their next request to another replica.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

import uvicorn
import uvloop

from wallet_kernel.deadlines import Deadlines
from wallet_kernel.http import App
from wallet_kernel.runtime.connection import Connection
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.metrics import loop_lag_watched
from wallet_kernel.runtime.sockets import CannotListen, bind, stop_listening
from wallet_kernel.topology import OtherTopology

_log = logging.getLogger(__name__)


GC_ALLOCATIONS = 50_000
"""Net new objects before the garbage collector searches for cycles. Requests leave no cycles, so a search is wasted
time."""


KEEP_ALIVE_S = 75
"""Idle time after which the service closes a connection. Clients close theirs earlier (the gateway after 2 s, services
after 15 s, most others within 60 s), because a request on a closed connection fails."""

DRAIN_KEEP_ALIVE_S = 5
"""Idle time during a drain. It is longer than the gateway keeps an idle connection."""


@dataclass(frozen=True)
class Listener:
    """An app on a port. With `shared`, replicas on one machine may listen on the same port (SO_REUSEPORT).

    A drain keeps idle connections open for `idle_s` seconds, because a request may be in transit.
    """

    app: App
    host: str
    port: int
    shared: bool = False
    idle_s: float = 0.0


@dataclass(frozen=True)
class Service:
    """The parts of a service that the runtime runs."""

    lifecycle: Lifecycle
    listeners: list[Listener]
    drain_timeout_s: float


def run(service: AbstractAsyncContextManager[Service]) -> None:
    """Serves until SIGTERM or SIGINT. Returns when all accepted requests are finished and every resource is closed.

    Logs one line and exits with status 1 if a port is in use, or if a database has another topology at the start.
    """
    try:
        uvloop.run(_run(service))
    except CannotListen as error:
        _log.error("cannot listen: %s", error)
        raise SystemExit(1) from error
    except OtherTopology as error:
        _log.error("refuses to start: %s", error)
        raise SystemExit(1) from error


async def _run(context: AbstractAsyncContextManager[Service]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with loop_lag_watched(), context as service:
        servers = [_Server(listener) for listener in service.listeners]
        _collect_seldom()
        sockets = [_bind(listener) for listener in service.listeners]
        tasks = [asyncio.create_task(s.serve([bound])) for s, bound in zip(servers, sockets, strict=True)]
        await _first(stop, tasks)
        await _drain(service, [(s, bound) for s, bound in zip(servers, sockets, strict=True) if s.started])
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


async def _drain(service: Service, serving: Sequence[tuple["_Server", socket.socket]]) -> None:
    service.lifecycle.start_draining()
    await asyncio.gather(*(server.stop_accepting(bound) for server, bound in serving))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(service.drain_timeout_s):
            await asyncio.gather(*(server.clients_left() for server, _ in serving))
            await service.lifecycle.drained()


def _collect_seldom() -> None:
    """Excludes the objects that exist before the first request from garbage collection, and makes it rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS)


async def _first(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()


class _Server(uvicorn.Server):
    def __init__(self, listener: Listener) -> None:
        super().__init__(_config(listener))
        self._idle_s = listener.idle_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Keeps uvicorn from handling signals, because the runtime drains before it stops the servers."""
        yield

    async def stop_accepting(self, bound: socket.socket) -> None:
        """Closes the port. From then on, every open connection gets its last response."""
        await stop_listening(bound)
        for server in self.servers:
            server.close()
        for connection in self._connections:
            connection.finish()

    async def clients_left(self) -> None:
        """Waits until all clients have disconnected, or the remaining ones have been idle long enough."""
        end = asyncio.get_running_loop().time() + self._idle_s
        while self._connections and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - rare and bounded
            await asyncio.sleep(0.02)

    @property
    def _connections(self) -> list[Connection]:
        return [one for one in self.server_state.connections if isinstance(one, Connection)]


def _config(listener: Listener) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        http=partial(Connection, idle=Deadlines(KEEP_ALIVE_S)),  # type: ignore[arg-type] # uvicorn only calls it
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=4096,
        timeout_graceful_shutdown=5,
    )


def _bind(listener: Listener) -> socket.socket:
    bound = bind(listener.host, listener.port, shared=listener.shared)
    _log.info("listening", extra={"host": listener.host, "port": listener.port})
    return bound
