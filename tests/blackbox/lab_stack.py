"""Adapts the lab's stack to the tests' ``Stack`` protocol. No other module of the black box imports ``wallet_lab``."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest
import redis

from tests.blackbox.stack import Component
from wallet_lab.checker.audit import audit_books, violations
from wallet_lab.stack.backends.containers import why_no_docker
from wallet_lab.stack.backends.docker import running_on_docker
from wallet_lab.testing import RunningStack, running_stack

COUNT_OF = {
    "orchestrator": "orchestrators",
    "command": "commands",
    "query": "queries",
    "relay": "relays",
    "projection": "projections",
}
MORTAL = {signal.SIGKILL, signal.SIGTERM}


class LabStack:
    """A stack that this test run started and may break."""

    def __init__(self, architecture: str, running: RunningStack) -> None:
        self.architecture = architecture
        self._running = running
        self._killed: dict[str, int] = {}

    @property
    def base_url(self) -> str:
        """The base URL of the public contract."""
        return self._running.base_url

    @property
    def components(self) -> Sequence[Component]:
        """All processes of the stack."""
        return [
            Component(part.name, part.kind, part.url if part.url.startswith("http") else None, part.shard)
            for part in self._running.components
        ]

    @property
    def database_urls(self) -> Sequence[str]:
        """The databases of all shards, and in cqrs the event store."""
        log = [self._running.client_url("postgres-events")] if self.architecture == "cqrs" else []
        return [*self._running.database_urls, *log]

    def kill(self, name: str, sig: int) -> None:
        """Send a signal to a component. ``wait_ready`` then waits for the restart of a process that it killed."""
        pid = self._running.kill(name, signal.Signals(sig))
        if sig in MORTAL:
            self._killed[name] = pid
        else:
            _signal_children(pid, sig)

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when every killed process has a successor and everything is healthy."""
        deadline = time.monotonic() + timeout_s
        while self._killed:
            name, pid = self._killed.popitem()
            self._running.wait_restarted(name, pid, deadline - time.monotonic())
        self._running.wait_ready(deadline - time.monotonic())

    def flush_cache(self) -> None:
        """Send FLUSHALL to Redis."""
        with redis.Redis.from_url(self._running.client_url("redis")) as client:
            client.flushall()

    def audit(self) -> list[str]:
        """Run the architecture's audit of its databases."""
        return violations(asyncio.run(audit_books(self._running)))


def _signal_children(pid: int, sig: int) -> None:
    # If only the postmaster stopped, its open sessions would continue to work.
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.send_signal(sig)


@contextmanager
def lab_stack(
    architecture: str,
    *,
    shards: int = 2,
    replicas: Mapping[str, int] | None = None,
    api_keys: Sequence[str] = (),
    service_path: str | None = None,
) -> Iterator[LabStack]:
    """Start a stack on free ports and delete it afterwards. Its services import from ``service_path`` first.

    ``replicas`` gives the number of replicas per kind of service; the default is one.
    """
    extra = {"WALLET_API_KEYS": ",".join(api_keys), "PYTHONPATH": service_path}
    env = {name: value for name, value in extra.items() if value}
    counts: dict[str, Any] = {COUNT_OF[kind]: count for kind, count in (replicas or {}).items()}
    with running_stack(architecture, shards=shards, extra_env={"*": env}, **counts) as running:
        yield LabStack(architecture, running)


@contextmanager
def docker_stack(
    architecture: str, *, scale: Mapping[str, int] | None = None, api_keys: Sequence[str] = ()
) -> Iterator[LabStack]:
    """Start the stack from its compose file, with ``scale`` replicas per service. Skips the test without Docker."""
    if reason := why_no_docker():
        pytest.skip(reason)
    with running_on_docker(architecture, scale=scale, env={"WALLET_API_KEYS": ",".join(api_keys)}) as running:
        yield LabStack(architecture, running)
