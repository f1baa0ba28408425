"""The interface of an architecture: plain data and functions, everything that the lab asks of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from wallet_lab.architectures.bindings import every_request
from wallet_lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from wallet_lab.architectures.bindings import Binding
    from wallet_lab.stack.addresses import Addresses
    from wallet_lab.stack.components import Command, Stack
    from wallet_lab.stack.files.credentials import Credentials
    from wallet_lab.stack.health.backlog import Databases
    from wallet_lab.stack.ports import PortChooser
    from wallet_lab.stack.request import Request
    from wallet_lab.stack.running import RunningStack
    from wallet_lab.stack.servers.postgres import Cluster
    from wallet_lab.stack.servers.rabbitmq import Broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A stack, and the servers whose data folders must exist before it starts."""

    stack: Stack
    clusters: tuple[Cluster, ...] = ()
    broker: Broker | None = None


@dataclass(frozen=True, slots=True)
class Replicas:
    """A service of which a stack can have several."""

    name: str
    """The plural, by which a request states the number."""
    kind: str
    """The kind of the components."""
    help: str = ""
    """The help of the option of `./lab up`; without a text, only tests can ask for several."""


CACHE = "the cache"
"""The role of the cache, which faults and target rows without a cache use (`Target.hits`)."""


@dataclass(frozen=True, slots=True)
class Target:
    """A component that a fault can break. `hits` names its role in words that are valid for every architecture."""

    name: str
    component: str
    hits: str
    binds: Binding = every_request
    """Which requests of clients depend on it."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A station of a write on its way to readers, which measures how long the write took to reach it."""

    name: str
    """What has happened to the write, such as published."""
    kind: str
    """The kind of the components that measure it."""
    histogram: str
    """Their metric: seconds since the write was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCommand:
    """A command of `./lab` that only this architecture has, on its running stack."""

    name: str
    help: str
    native: Callable[[Addresses], Command]
    """Returns the process to run on a native stack."""
    compose: tuple[str, ...]
    """The one-shot service of the compose file, and its arguments."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The work that has begun and not ended."""

    size: int
    is_stuck: bool = False
    """Whether some of the work can never end, for example because a consumer has stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where an architecture keeps the money, how to open wallets there, and how to check it."""

    shard: Callable[[int], str]
    """Returns the component name of the database of a shard."""
    seed: Callable[[RunningStack, Sequence[str], int, str], Awaitable[None]]
    """Opens wallets directly in the databases; arguments: the stack, accounts, balance in micros, currency."""
    backlog: Callable[[Databases], Awaitable[Backlog]]
    """Reads the backlog. Without load, the stack is quiescent if the backlog is empty."""
    reads: Literal["fresh", "positions"]
    """Whether every read shows all earlier acknowledged writes, or only a read that waits for a position."""
    relations: Callable[[duckdb.DuckDBPyConnection, RunningStack], Awaitable[None]]
    """Adds the relations of a quiescent stack to the evidence of the checker (`checker/schema.py`)."""
    beginning: Callable[[duckdb.DuckDBPyConnection, RunningStack], Awaitable[None]]
    """Adds only the stored wallets and the number of decisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFile:
    """How the containers of docker-compose.<name>.yml correspond to the components of the native stack."""

    component: Callable[[str, int], tuple[str, str, int | None] | None]
    """Returns name, kind and shard of the component for a service and a replica's number (from 1); None for others."""
    secrets_holder: str
    """A component whose container has all passwords of the stack."""
    writes: tuple[str, int]
    """Kind and port of the components that answer the clients' POST, PUT and DELETE behind the gateway."""
    reads: tuple[str, int]
    """Kind and port of the components that answer GET."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the report shows an architecture."""

    label: str
    colour: str
    """In hexadecimal; distinct from the others for colour-blind readers."""
    marker: str
    """The mark of its points, a marker of matplotlib."""


Scaling = Literal["replicas", "shards", "one process", "one machine"]
"""How the number of processes of a component can grow. replicas: any number. shards: one process per shard. one
process: the architecture has a single one, which uses one core. one machine: a single server that uses all cores of its
machine."""


Property = Literal["fresh-reads", "event-history", "several-databases"]
"""The properties of a design. The report explains each in words (`report/decisions.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The part of an architecture in `./lab compare`."""

    start_s: float
    """Estimated seconds to start and to stop its stack."""
    scenarios: tuple[str, ...] | None = None
    """Its scenarios; None: all."""
    faults: tuple[str, ...] = ()
    """The faults of a quick comparison. The full one has those of all targets."""
    by_default: bool = True
    """Whether a comparison includes it without being asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One architecture. Without a ledger it is a control, which shows the limit of the machine and of the client."""

    name: str
    plan: Callable[[Request, Credentials, Path, PortChooser], Plan]
    """Chooses the ports; the data of the servers are in the given folder."""
    services: frozenset[str]
    """The kinds of its components that serve the metrics of `wallet_kernel`."""
    style: Style
    comparison: Comparison
    modules: tuple[str, ...] = ()
    """The Python modules that its services run, such as `wallet_saga.worker`; empty if the lab cannot read them."""
    source: str = ""
    """The folder that describes it; empty if it is one of the registry."""
    shards: int | None = None
    """Its only possible number of shards; None: any."""
    ledger: Ledger | None = None
    replicas: tuple[Replicas, ...] = ()
    properties: tuple[Property, ...] = ()
    """The properties of its design, for the decision table."""
    targets: tuple[Target, ...] = ()
    """The components that `./lab chaos` can break."""
    commands: tuple[OwnCommand, ...] = ()
    compose_file: ComposeFile | None = None
    is_baseline: bool = False
    """Whether it is a plain alternative, against which `./lab test` runs only what it solves in its own way."""
    performance_targets: Mapping[str, float] = field(default_factory=dict)
    """The limit of each row of `./lab bench --targets`, by the row's key (`comparison/targets/rows.py`)."""
    scaling: Mapping[str, Scaling] = field(default_factory=dict)
    """By kind of component, for the capacity model; empty if the lab does not know it."""
    hops: tuple[Hop, ...] = ()
    """The stations between a write and its readers, in order; empty if a write is visible at its commit."""
    published: tuple[str, str] | None = None
    """Kind and batcher whose items are published to every shard through a broker; None without a broker."""

    def command(self, name: str) -> OwnCommand:
        """Return one of its own commands.

        Raises:
            LabError: it has none of this name.
        """
        for command in self.commands:
            if command.name == name:
                return command
        raise LabError(f"{self.name} has no command '{name}'")
