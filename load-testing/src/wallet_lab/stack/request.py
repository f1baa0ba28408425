"""The user's request for a stack: the number of each component."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """The request for any architecture; it ignores the replicas that it does not have."""

    shards: int = 2
    replicas: dict[str, int] = field(default_factory=dict)
    """The number of each replicated service, by its plural (`Replicas.name`); the default is one."""
    monitoring: bool = False
    gateway: bool = False
    """Whether there is a gateway, also in front of an architecture that needs none."""
    usual_ports: bool = True
    fresh: bool = False
    """Delete the data of earlier runs first."""
    extra_env: dict[str, dict[str, str]] = field(default_factory=dict)
    """Additional variables, by "*", component kind (or "migrations") or component name."""

    def number_of(self, services: str) -> int:
        """Return the number of replicas of a service, given its plural."""
        return self.replicas.get(services, 1)

    def extra_variables(self, kind: str, name: str) -> dict[str, str]:
        """Return the additional variables of a component or task."""
        extra = self.extra_env
        return {**extra.get("*", {}), **extra.get(kind, {}), **extra.get(name, {})}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Request":
        """Read the request that a front end left for the supervisor."""
        return cls(**content)
