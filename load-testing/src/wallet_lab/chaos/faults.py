"""The faults as plain data: which component is hit, how, and what that is called in both architectures."""

from dataclasses import dataclass
from typing import Literal

from wallet_lab.errors import LabError

Action = Literal["kill", "pause", "cut"]


@dataclass(frozen=True, slots=True)
class Target:
    """A component that can be hit. `hits` says what it is for, in words that fit both architectures."""

    name: str
    component: str
    hits: str
    faces_clients: bool = False
    """Whether clients are connected to it: they may send a broken call again, unasked (see `Told`)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a target.

    `kill` is SIGKILL, and its supervisor restarts it; `pause` stops it for some seconds; `cut` takes its network for
    as long, which only a container can lose.
    """

    action: Action
    target: Target

    @property
    def name(self) -> str:
        """As the command line and the report call it."""
        return f"{self.action}-{self.target.name}"

    @property
    def hits(self) -> str:
        """Faults of different architectures are compared where this is the same."""
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
    """All faults of an architecture, by name."""
    found = [Fault(action, target) for action in _DONE for target in TARGETS[architecture]]
    return {fault.name: fault for fault in found}


def find(architecture: str, name: str) -> Fault:
    """The fault with this name.

    Raises:
        LabError: there is none; the text names those that there are.
    """
    known = faults(architecture)
    if name not in known:
        raise LabError(f"{architecture} has no fault '{name}'; there are: {', '.join(known)}")
    return known[name]
