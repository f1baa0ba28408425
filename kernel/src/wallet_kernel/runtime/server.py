"""Runs a service: opens its resources, serves its ports, drains on SIGTERM, closes what it opened.

A drain lets no request fail: the ports close, requests on open connections are served, each answer there says
`Connection: close`, and clients find another replica for what they send next.
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

import uvicorn
import uvloop

from wallet_kernel.http import App
from wallet_kernel.runtime.connection import Connection
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.metrics import loop_lag_watched
from wallet_kernel.runtime.sockets import CannotListen, bind, stop_listening
from wallet_kernel.topology import OtherTopology

_log = logging.getLogger(__name__)


GC_ALLOCATIONS = 50_000
"""Net new objects after which the collector looks for cycles. Requests leave none, and looking costs all the same."""


KEEP_ALIVE_S = 75
"""How long a connection may be idle between two requests before the service closes it. Clients close theirs earlier
(the gateway after 2 s, services after 15 s, most others within 60 s): a request on a closed connection fails."""

DRAIN_KEEP_ALIVE_S = 5
"""The same while the service drains: longer than the gateway keeps an idle connection."""


@dataclass(frozen=True)
class Listener:
    """An app on a port. With `shared`, replicas on one machine may listen on the same port (SO_REUSEPORT).

    A drain keeps idle connections open for `idle_s` seconds: a request may be on its way to them.
    """

    app: App
    host: str
    port: int
    shared: bool = False
    idle_s: float = 0.0


@dataclass(frozen=True)
class Service:
    """What a service's wiring gives the runtime."""

    lifecycle: Lifecycle
    listeners: list[Listener]
    drain_timeout_s: float


def run(service: AbstractAsyncContextManager[Service]) -> None:
    """Serves until SIGTERM or SIGINT; returns when everything accepted is finished and every resource closed.

    Exits with status 1 and one line in the log if a port is taken, or if another topology is met at the start.
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
    """What is here before the first request stays; the collector need not look at it again."""
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
        """The runtime drains first and then stops the servers, so uvicorn must not act on signals itself."""
        yield

    async def stop_accepting(self, bound: socket.socket) -> None:
        """Closes the port; from then on every connection that clients have made gets its last answer."""
        await stop_listening(bound)
        for server in self.servers:
            server.close()
        for connection in self._connections:
            connection.finish()

    async def clients_left(self) -> None:
        """Returns once no client has a connection, or once those that are left have been idle for long enough."""
        end = asyncio.get_running_loop().time() + self._idle_s
        while self._connections and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - rare and bounded
            await asyncio.sleep(0.02)

    @property
    def _connections(self) -> list[Connection]:
        return [one for one in self.server_state.connections if isinstance(one, Connection)]


def _config(listener: Listener) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=4096,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
    )


def _bind(listener: Listener) -> socket.socket:
    bound = bind(listener.host, listener.port, shared=listener.shared)
    _log.info("listening", extra={"host": listener.host, "port": listener.port})
    return bound
