"""The system under test as the suites see it: a base URL, and a handle on its parts when we started them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

ENTRY_KINDS = {"saga": "orchestrator", "cqrs": "gateway"}
FAULT_KINDS = {
    "saga": ("orchestrator", "worker", "postgres", "redis"),
    "cqrs": ("gateway", "command", "relay", "projection", "query", "postgres", "redis", "rabbitmq"),
}
FAULT_KINDS_ON_DOCKER = {"saga": ("gateway", *FAULT_KINDS["saga"]), "cqrs": FAULT_KINDS["cqrs"]}
"""The saga has a gateway there, because its replicas share no port."""
FREEZE_KINDS = {"saga": ("postgres", "worker"), "cqrs": ("postgres", "command", "projection")}
REPLICATED = {"saga": ("orchestrator",), "cqrs": ("command", "query", "relay", "projection")}
DRAIN_KINDS = {"saga": ("orchestrator", "worker"), "cqrs": ("command", "query")}


@dataclass(frozen=True)
class Component:
    """One process of a stack. ``url`` is its own port's base URL (services only); ``shard`` counts from 0."""

    name: str
    kind: str
    url: str | None = None
    shard: int | None = None


class Stack(Protocol):
    """What a test may know of, and do to, the running system."""

    @property
    def architecture(self) -> str:
        """``saga`` or ``cqrs``."""

    @property
    def base_url(self) -> str:
        """Where the public contract is served."""

    @property
    def components(self) -> Sequence[Component]:
        """The processes that may be signalled; empty when the stack is not ours."""

    @property
    def database_urls(self) -> Sequence[str]:
        """Every database of the wallets, as its owner; empty when the stack is not ours."""

    def kill(self, name: str, sig: int) -> None:
        """Send a signal to the process of this component."""

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when every component that was killed is back and everything is healthy; raise after the timeout."""

    def flush_cache(self) -> None:
        """Drop everything Redis holds."""

    def audit(self) -> list[str]:
        """The guarantees that the databases of a quiet stack violate, a sentence each; empty is good."""


class AttachedStack:
    """A stack somebody else started: only its public port is ours."""

    components: Sequence[Component] = ()

    def __init__(self, architecture: str, base_url: str) -> None:
        self.architecture = architecture
        self.base_url = base_url

    @property
    def database_urls(self) -> Sequence[str]:
        """Not ours to change."""
        return ()

    def kill(self, name: str, sig: int) -> None:
        """Not ours to kill."""
        raise PermissionError(f"signal {sig} is not for {name}: this run did not start that stack")

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Nothing was broken, so there is nothing to wait for."""

    def flush_cache(self) -> None:
        """Not ours to flush."""
        raise PermissionError("the cache belongs to a stack this run did not start")

    def audit(self) -> list[str]:
        """Its databases are out of reach; what the public API can prove is asserted by the tests themselves."""
        return []


def of_kind(stack: Stack, kind: str) -> list[Component]:
    """The components of one kind, in the order of their names."""
    return sorted((part for part in stack.components if part.kind == kind), key=lambda part: part.name)
