"""The interface of a running stack, for programs that measure, break and audit it."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Architecture
from wallet_lab.errors import LabError
from wallet_lab.stack.addresses import Role
from wallet_lab.stack.components import Entry
from wallet_lab.stack.files.credentials import Credentials

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
    """A running stack and its operations."""

    architecture: str
    """Its name in the registry."""
    shards: int
    """The number of databases that hold the wallets."""

    @property
    def adapter(self) -> Architecture:
        """The adapter of its architecture."""
        return architectures.find(self.architecture)

    @abstractmethod
    def start(self) -> None:
        """Start the stack, with its earlier data if there are any."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the stack gracefully if this object started it; its data stay."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """The URL for clients: the gateway's if there is a gateway."""

    @property
    @abstractmethod
    def direct(self) -> Entry:
        """The entry of the services themselves, without a gateway."""

    @property
    @abstractmethod
    def components(self) -> list[ComponentStatus]:
        """All components, each probed now."""

    @property
    @abstractmethod
    def credentials(self) -> Credentials:
        """The stack's passwords."""

    @property
    def database_urls(self) -> list[str]:
        """One URL per shard, as the owner of the database, for audits."""
        return [self._shard_url(shard, "wallet_owner") for shard in range(self.shards)]

    @property
    def service_database_urls(self) -> list[str]:
        """One URL per shard, with the rights of the services."""
        return [self._shard_url(shard, "wallet_service") for shard in range(self.shards)]

    def _shard_url(self, shard: int, role: Role) -> str:
        ledger = self.adapter.ledger
        if ledger is None:
            raise LabError(f"{self.architecture} has no databases")
        return self.client_url(ledger.shard(shard), role)

    @abstractmethod
    def client_url(self, component: str, role: Role = "wallet_owner") -> str:
        """Return the URL of a component with its password, for databases with that of the role."""

    @abstractmethod
    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the architecture's own commands, such as `verify`; returns the finished command."""

    @abstractmethod
    def pid(self, name: str) -> int | None:
        """Return the pid of a component's first process on this machine; None while it is down."""

    @property
    @abstractmethod
    def pids(self) -> dict[str, int]:
        """The pid of every running component."""

    @property
    @abstractmethod
    def urls(self) -> dict[str, str]:
        """The URL of every component's own port; databases, cache and broker use other schemes than HTTP."""

    @abstractmethod
    def log(self, name: str, lines: int = 200) -> str:
        """Return a component's last log lines."""

    @abstractmethod
    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a component; returns the pid that received it. An ended component is restarted."""

    def wait_restarted(self, name: str, old_pid: int, timeout_s: float = WAIT_S) -> int:
        """Wait until a component has a new process; returns its pid. The process may not be ready yet."""
        return until(lambda: pid if (pid := self.pid(name)) not in {None, old_pid} else None, timeout_s, name)

    @abstractmethod
    def wait_ready(self, timeout_s: float = WAIT_S) -> None:
        """Wait until every component answers."""

    @abstractmethod
    def outage(self, name: str, number: signal.Signals = signal.SIGKILL) -> AbstractContextManager[None]:
        """Inside, a component is killed and stays down. Afterwards it runs again and the whole stack is ready."""

    @abstractmethod
    def paused(self, name: str) -> AbstractContextManager[None]:
        """Inside, a component is stopped but keeps its connections open: a slow failure."""

    @abstractmethod
    def cut_off(self, name: str) -> AbstractContextManager[None]:
        """Inside, a component works but no packet reaches or leaves it. Its peers get no signal."""


def until(get: Callable[[], _T | None], timeout_s: float, what: str, *, every_s: float = 0.02) -> _T:
    """Call `get` until it returns a value other than None. Raises LabError after the timeout."""
    deadline_s = time.monotonic() + timeout_s
    while (value := get()) is None:
        if time.monotonic() > deadline_s:
            raise LabError(f"{what} did not appear within {timeout_s:.0f} s")
        time.sleep(every_s)
    return value
