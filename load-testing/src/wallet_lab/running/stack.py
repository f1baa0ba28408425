"""A running stack as a program uses it: to measure, break and audit it, wherever it runs."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from wallet_lab.credentials import Credentials
from wallet_lab.errors import LabError
from wallet_lab.stacks.addresses import EVENT_STORE, Role, read_shard

WAIT_S = 30.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One component as `./lab status --json` shows it."""

    name: str
    kind: str
    pid: int | None
    port: int
    url: str
    healthy: bool
    shard: int | None = None


class RunningStack(ABC):
    """A stack that is up, and what its owner may do to it."""

    architecture: str
    """Which one it is."""
    shards: int
    """How many databases the wallets are spread over."""

    @abstractmethod
    def start(self) -> None:
        """Bring the stack up (again: with the data it had)."""

    @abstractmethod
    def stop(self) -> None:
        """Take the stack down gracefully if it was started here; its data stay."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """Where clients call."""

    @property
    @abstractmethod
    def components(self) -> list[ComponentStatus]:
        """All components as they are now, each really asked."""

    @property
    @abstractmethod
    def credentials(self) -> Credentials:
        """The stack's passwords."""

    @property
    def database_urls(self) -> list[str]:
        """One URL per shard, as the owner of the database: for audits."""
        return [self._shard_url(shard, "wallet_owner") for shard in range(self.shards)]

    @property
    def service_database_urls(self) -> list[str]:
        """One URL per shard, with the rights of the services."""
        return [self._shard_url(shard, "wallet_service") for shard in range(self.shards)]

    @property
    def event_store_url(self) -> str:
        """The event store of cqrs, as the owner of the database."""
        return self._database_url(EVENT_STORE, "wallet_owner")

    @property
    def service_event_store_url(self) -> str:
        """The event store of cqrs, with the rights of the services."""
        return self._database_url(EVENT_STORE, "wallet_service")

    def _shard_url(self, shard: int, role: Role) -> str:
        name = read_shard(shard) if self.architecture == "cqrs" else f"postgres-{shard}"
        return self._database_url(name, role)

    @abstractmethod
    def _database_url(self, component: str, role: Role) -> str: ...

    @property
    @abstractmethod
    def redis_url(self) -> str:
        """The cache's URL, with its password."""

    @property
    @abstractmethod
    def broker_url(self) -> str:
        """The URL of cqrs' message broker, with its password."""

    @abstractmethod
    def rebuild(self, *, verify: bool = False) -> "subprocess.CompletedProcess[str]":
        """Rebuild the read model of cqrs, or compare it with the events; returns what it said."""

    @abstractmethod
    def pid(self, name: str) -> int | None:
        """The (first) process of a component as this machine sees it; None while it is down."""

    @property
    @abstractmethod
    def pids(self) -> dict[str, int]:
        """The process of every component that is not down."""

    @property
    @abstractmethod
    def urls(self) -> dict[str, str]:
        """The own port's URL of every component; of databases, cache and broker it is no HTTP."""

    @abstractmethod
    def log(self, name: str, lines: int = 200) -> str:
        """The last lines a component wrote."""

    @abstractmethod
    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a component and return the pid that got it; what ends of it is started again."""

    def wait_restarted(self, name: str, old_pid: int, timeout_s: float = WAIT_S) -> int:
        """Wait until another process has taken a component's place; returns its pid (maybe not ready yet)."""
        return until(lambda: pid if (pid := self.pid(name)) not in {None, old_pid} else None, timeout_s, name)

    @abstractmethod
    def wait_ready(self, timeout_s: float = WAIT_S) -> None:
        """Wait until every component answers."""

    @abstractmethod
    def outage(self, name: str, number: signal.Signals = signal.SIGKILL) -> AbstractContextManager[None]:
        """Inside, a component is dead and stays dead; afterwards it is back and the whole stack is ready."""

    @abstractmethod
    def paused(self, name: str) -> AbstractContextManager[None]:
        """Inside, a component neither works nor answers, but holds its connections: the slow failure."""

    @abstractmethod
    def cut_off(self, name: str) -> AbstractContextManager[None]:
        """Inside, a component works but no packet reaches or leaves it; its peers are told nothing."""


def until(get: Callable[[], _T | None], timeout_s: float, what: str) -> _T:
    """What `get` gives once it is not None. Raises LabError when that takes too long."""
    deadline_s = time.monotonic() + timeout_s
    while (value := get()) is None:
        if time.monotonic() > deadline_s:
            raise LabError(f"{what} was not there after {timeout_s:.0f} s")
        time.sleep(0.02)
    return value
