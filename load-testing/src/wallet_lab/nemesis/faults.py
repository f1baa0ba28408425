"""The faults as plain data: the component, the action, and a name that both architectures share."""

from dataclasses import dataclass
from typing import Literal

from wallet_lab.errors import LabError

Action = Literal["kill", "pause", "cut"]


@dataclass(frozen=True, slots=True)
class Target:
    """A component that a fault can break. `hits` names its role in words that are valid for both architectures."""

    name: str
    component: str
    hits: str
    faces_clients: bool = False
    """Whether clients connect to it. If so, k6 may resend a broken call by itself (see `Told`)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An action on a target.

    `kill` sends SIGKILL, and the supervisor restarts the component. `pause` stops it for some seconds. `cut`
    disconnects it from the network for as long; only containers support it.
    """

    action: Action
    target: Target

    @property
    def name(self) -> str:
        """The name on the command line and in the report."""
        return f"{self.action}-{self.target.name}"

    @property
    def hits(self) -> str:
        """The role and the action. The report compares faults of different architectures if this text is equal."""
        return f"{self.target.hits}, {_DONE[self.action]}"


_DONE: dict[Action, str] = {"kill": "killed", "pause": "paused", "cut": "cut off"}

TARGETS: dict[str, tuple[Target, ...]] = {
    "saga": (
        Target("worker", "worker-0", "a service that writes"),
        Target("orchestrator", "orchestrator-0", "the public port", faces_clients=True),
        Target("postgres", "postgres-0", "a database that takes writes"),
        Target("redis", "redis", "the cache"),
    ),
    "cqrs": (
        Target("command", "command-0", "a service that writes"),
        Target("gateway", "gateway", "the public port", faces_clients=True),
        Target("event-store", "postgres-events", "a database that takes writes"),
        Target("redis", "redis", "the cache"),
        Target("relay", "relay-0", "the relay"),
        Target("rabbitmq", "rabbitmq", "the broker"),
        Target("projection", "projection-0", "the projection"),
        Target("read-shard", "postgres-read-0", "a read shard"),
        Target("query", "query-0", "the service that reads"),
    ),
}


def faults(architecture: str) -> dict[str, Fault]:
    """Return all faults of an architecture, by name."""
    found = [Fault(action, target) for action in _DONE for target in TARGETS[architecture]]
    return {fault.name: fault for fault in found}


def find(architecture: str, name: str) -> Fault:
    """Return the fault with this name.

    Raises:
        LabError: there is none; the text lists all names.
    """
    known = faults(architecture)
    if name not in known:
        raise LabError(f"{architecture} has no fault '{name}'; there are: {', '.join(known)}")
    return known[name]
