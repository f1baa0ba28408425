"""The interface of an architecture: plain data and functions, everything that the lab asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wallet_lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    import duckdb

    from wallet_lab.stack.addresses import Addresses
    from wallet_lab.stack.backlog import Databases
    from wallet_lab.stack.components import Command, Stack
    from wallet_lab.stack.credentials import Credentials
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


@dataclass(frozen=True, slots=True)
class Target:
    """A component that a fault can break. `hits` names its role in words that are valid for every architecture."""

    name: str
    component: str
    hits: str


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
    """Whether every read shows what was acknowledged before, or only a read that waits for a position."""
    relations: Callable[[duckdb.DuckDBPyConnection, RunningStack], Awaitable[None]]
    """Adds the relations of a quiescent stack to the evidence of the checker (`checker/schema.py`)."""
    wallets: Callable[[duckdb.DuckDBPyConnection, RunningStack], Awaitable[None]]
    """Adds only the stored wallets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFile:
    """How the containers of docker-compose.<name>.yml correspond to the components of the native stack."""

    component: Callable[[str, int], tuple[str, str, int | None] | None]
    """Returns name, kind and shard of the component for a service and a replica's number (from 1); None for others."""
    secrets_holder: str
    """A component whose container has all passwords of the stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the report shows an architecture."""

    label: str
    colour: str
    """In hexadecimal; distinct from the others for colour-blind readers."""
    marker: str
    """The mark of its points, a marker of matplotlib."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The part of an architecture in `./lab compare`."""

    start_s: float
    """Estimated seconds to start and to stop its stack."""
    scenarios: tuple[str, ...] | None = None
    """Its scenarios; None: all."""
    faults: tuple[str, ...] = ()
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
    shards: int | None = None
    """Its only possible number of shards; None: any."""
    ledger: Ledger | None = None
    replicas: tuple[Replicas, ...] = ()
    targets: tuple[Target, ...] = ()
    """The components that `./lab chaos` can break."""
    commands: tuple[OwnCommand, ...] = ()
    compose_file: ComposeFile | None = None
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
