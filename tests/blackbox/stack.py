"""The system under test for the suites: a base URL, and control of its components if this run started them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

BASELINES = ("acid", "acid-batched", "two-phase")
"""The plain alternatives: services of one kind in front of Postgres, without a cache."""

ENTRY_KINDS = {"saga": "orchestrator", "cqrs": "gateway", **dict.fromkeys(BASELINES, "service")}
FAULT_KINDS = {
    "saga": ("orchestrator", "worker", "postgres", "redis"),
    "cqrs": ("gateway", "command", "relay", "projection", "query", "postgres", "redis", "rabbitmq"),
    **dict.fromkeys(BASELINES, ("service", "postgres")),
}
FAULT_KINDS_ON_DOCKER = {"saga": ("gateway", *FAULT_KINDS["saga"]), "cqrs": FAULT_KINDS["cqrs"]}
"""On Docker the saga has a gateway, because its replicas cannot share a port."""
FREEZE_KINDS = {
    "saga": ("postgres", "worker"),
    "cqrs": ("postgres", "command", "projection"),
    **dict.fromkeys(BASELINES, ("service", "postgres")),
}
REPLICATED = {"saga": ("orchestrator",), "cqrs": ("command", "query", "relay", "projection")}
DRAIN_KINDS = {
    "saga": ("orchestrator", "worker"),
    "cqrs": ("command", "query"),
    **dict.fromkeys(BASELINES, ("service",)),
}


@dataclass(frozen=True)
class Component:
    """One process of a stack. ``url`` is the base URL of its own port (services only); ``shard`` counts from 0."""

    name: str
    kind: str
    url: str | None = None
    shard: int | None = None


class Stack(Protocol):
    """The running system: the data that a test may read from it, and the faults that it may inject."""

    @property
    def architecture(self) -> str:
        """The architecture's name in the lab's registry."""

    @property
    def base_url(self) -> str:
        """The base URL of the public contract."""

    @property
    def components(self) -> Sequence[Component]:
        """The processes that a test may signal. Empty if this run did not start the stack."""

    @property
    def database_urls(self) -> Sequence[str]:
        """The URL of every wallet database, as its owner. Empty if this run did not start the stack."""

    def kill(self, name: str, sig: int) -> None:
        """Send a signal to the process of this component."""

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when every killed component is back and everything is healthy. Raises after the timeout."""

    def flush_cache(self) -> None:
        """Delete everything in Redis."""

    def audit(self) -> list[str]:
        """The guarantees that the databases of a quiet stack violate, one sentence each. An empty list is good."""


class AttachedStack:
    """A stack that this run did not start. Tests use only its public port."""

    components: Sequence[Component] = ()

    def __init__(self, architecture: str, base_url: str) -> None:
        self.architecture = architecture
        self.base_url = base_url

    @property
    def database_urls(self) -> Sequence[str]:
        """Returns no URLs, because this run did not start the stack."""
        return ()

    def kill(self, name: str, sig: int) -> None:
        """Raises PermissionError, because this run did not start the stack."""
        raise PermissionError(
            f"signal {sig} was not sent to {name}, because this run did not start the stack"
        )

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Returns immediately, because tests cannot break this stack."""

    def flush_cache(self) -> None:
        """Raises PermissionError, because this run did not start the stack."""
        raise PermissionError("the cache was not flushed, because this run did not start the stack")

    def audit(self) -> list[str]:
        """Returns no violations, because the tests cannot reach the databases. They check the public API instead."""
        return []


def of_kind(stack: Stack, kind: str) -> list[Component]:
    """The components of one kind, sorted by name."""
    return sorted((part for part in stack.components if part.kind == kind), key=lambda part: part.name)
