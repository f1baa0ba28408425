"""What a stack is made of, as plain data: nothing here starts, opens or reads anything."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal[
    "orchestrator",
    "worker",
    "command",
    "projection",
    "relay",
    "query",
    "gateway",
    "noop",
    "postgres",
    "redis",
    "rabbitmq",
    "prometheus",
    "component-metrics",
]


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Ready when a GET answers 200."""

    port: int
    path: str = "/readyz"


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """Ready when the server asks a new connection for its password, which it does not while it recovers."""

    port: int


@dataclass(frozen=True, slots=True)
class RedisProbe:
    """Ready when it answers PING after AUTH."""

    port: int
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AmqpProbe:
    """Ready when it answers the protocol header of AMQP 0-9-1 with the first frame of a connection."""

    port: int


Probe = HttpProbe | PostgresProbe | RedisProbe | AmqpProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to run. Secrets go into `env` or `stdin`: every user of the machine can see `argv`."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: bytes = field(default=b"", repr=False)
    cwd: Path = Path("/")
    bare: bool = False
    """Gets no variable of the user's; see `environment`."""
    unprivileged: bool = False
    """Is bare and, when the lab is root, runs as the lab's own system user."""
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when the supervisor dies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Command):
    """A long-running process with a name, a port and a way to tell whether it is ready."""

    kind: Kind
    port: int
    url: str
    probe: Probe
    shard: int | None = None
    public_port: int | None = None
    """Where clients call, if the component listens there by itself; its replicas share the port."""
    metrics_port: int | None = None
    """Where it serves Prometheus metrics under /metrics."""
    stop_signal: signal.Signals = signal.SIGTERM
    data_dir: Path | None = None
    """Where a process left over by a crashed predecessor may still be at work; waited for before a start."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Tasks run to their end first, then the components start; the next stage waits until all are ready."""

    components: tuple[Component, ...] = ()
    tasks: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything `up` starts, in order; `down` stops it in the opposite order."""

    architecture: str
    base_url: str
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()
    """What the user should know, such as a port that had to be another one."""

    @property
    def components(self) -> tuple[Component, ...]:
        """All components in starting order."""
        return tuple(component for stage in self.stages for component in stage.components)
