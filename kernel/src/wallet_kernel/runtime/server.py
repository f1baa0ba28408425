"""Runs a service: opens its resources, serves its ports, drains on SIGTERM, closes what it opened."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import uvicorn
import uvloop

from wallet_kernel.http import App
from wallet_kernel.runtime.connection import Connection
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.metrics import loop_lag_watched

_log = logging.getLogger(__name__)


GC_ALLOCATIONS = 50_000
"""Net new objects after which the collector looks for cycles. Requests leave none, and looking costs all the same."""


class CannotListen(Exception):
    """A port is taken, or may not be used by this process."""


@dataclass(frozen=True)
class Listener:
    """An app on a port. With `shared`, replicas on one machine may listen on the same port (SO_REUSEPORT)."""

    app: App
    host: str
    port: int
    shared: bool = False


@dataclass(frozen=True)
class Service:
    """What a service's wiring gives the runtime."""

    lifecycle: Lifecycle
    listeners: list[Listener]
    drain_timeout_s: float


def run(service: AbstractAsyncContextManager[Service]) -> None:
    """Serves until SIGTERM or SIGINT; returns when everything accepted is finished and every resource closed.

    Exits with status 1 and one line in the log when a port cannot be had.
    """
    try:
        uvloop.run(_run(service))
    except CannotListen as error:
        _log.error("cannot listen: %s", error)
        raise SystemExit(1) from error


async def _run(context: AbstractAsyncContextManager[Service]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with loop_lag_watched(), context as service:
        servers = [_Server(_config(listener)) for listener in service.listeners]
        _collect_seldom()
        sockets = [_bind(listener) for listener in service.listeners]
        tasks = [asyncio.create_task(s.serve([bound])) for s, bound in zip(servers, sockets, strict=True)]
        await _first(stop, tasks)
        await service.lifecycle.drain(service.drain_timeout_s)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


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
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The runtime drains first and then stops the servers, so uvicorn must not act on signals itself."""
        yield


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
        timeout_graceful_shutdown=5,
    )


def _bind(listener: Listener) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((listener.host, listener.port))
    except OSError as error:
        bound.close()
        raise CannotListen(f"{listener.host}:{listener.port}: {error.strerror}") from error
    _log.info("listening", extra={"host": listener.host, "port": listener.port})
    return bound
