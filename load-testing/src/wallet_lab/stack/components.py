"""The parts of a stack as plain data. This module starts, opens and reads nothing."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Ready when a GET answers 200."""

    port: int
    path: str = "/readyz"


@dataclass(frozen=True, slots=True)
class PortProbe:
    """Ready when it accepts connections: for servers whose protocol the lab does not know."""

    port: int


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """Ready when the server asks a new connection for its password; it does not while it recovers."""

    port: int


@dataclass(frozen=True, slots=True)
class RedisProbe:
    """Ready when it answers PING after AUTH."""

    port: int
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AmqpProbe:
    """Ready when the broker answers the AMQP 0-9-1 protocol header with the first frame of a connection."""

    port: int


Probe = HttpProbe | PortProbe | PostgresProbe | RedisProbe | AmqpProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to run. Secrets belong in `env` or `stdin`, because every user of the machine can see `argv`."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: bytes = field(default=b"", repr=False)
    cwd: Path = Path("/")
    bare: bool = False
    """Gets none of the user's variables; see `environment`."""
    unprivileged: bool = False
    """Implies bare; if the lab is root, the process runs as the lab's own system user."""
    orphan_signal: signal.Signals = signal.SIGKILL
    """The signal that the kernel sends to the process when the supervisor dies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Command):
    """A long-running process with a name, a port and a readiness probe."""

    kind: str
    port: int
    url: str
    probe: Probe
    shard: int | None = None
    public_port: int | None = None
    """The port for clients, if the component itself listens on it; its replicas share the port."""
    metrics_port: int | None = None
    """The port that serves Prometheus metrics under /metrics."""
    stop_signal: signal.Signals = signal.SIGTERM
    data_dir: Path | None = None
    """A folder that a process of a crashed predecessor may still use. The start waits until it does not."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Tasks run to their end first, then the components start. The next stage waits until all are ready."""

    components: tuple[Component, ...] = ()
    tasks: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """The URLs to which clients send requests; several URLs are replicas of the same service."""

    write_urls: tuple[str, ...]
    """For POST, PUT and DELETE."""
    read_urls: tuple[str, ...]
    """For GET and HEAD."""

    @classmethod
    def at(cls, *urls: str) -> "Entry":
        """Return the entry of services that answer reads and writes on the same URLs."""
        return cls(urls, urls)


@dataclass(frozen=True, slots=True)
class Stack:
    """All components that `up` starts, in order; `down` stops them in reverse order."""

    architecture: str
    base_url: str
    """The URL for clients: the gateway's if there is a gateway."""
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()
    """Notices for the user, such as a port that differs from the usual one."""
    behind_gateway: Entry | None = None
    """The entry of the services themselves, if `base_url` is not the only URL that they have."""

    @property
    def direct(self) -> Entry:
        """The entry of the services themselves, without a gateway."""
        return self.behind_gateway or Entry.at(self.base_url)

    @property
    def components(self) -> tuple[Component, ...]:
        """All components in starting order."""
        return tuple(component for stage in self.stages for component in stage.components)


def python_module(name: str) -> tuple[str, ...]:
    """Return the arguments that run a module of the locked environment."""
    # -P: Python must not import from the current directory.
    return (sys.executable, "-P", "-m", name)
