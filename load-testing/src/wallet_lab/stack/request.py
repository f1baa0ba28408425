"""The user's request for a stack: the number of each component."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """The request for either architecture; replicas of the other one are ignored."""

    shards: int = 2
    orchestrators: int = 1
    commands: int = 1
    relays: int = 1
    projections: int = 1
    queries: int = 1
    monitoring: bool = False
    usual_ports: bool = True
    fresh: bool = False
    """Delete the data of earlier runs first."""
    extra_env: dict[str, dict[str, str]] = field(default_factory=dict)
    """Additional variables, by "*", component kind (or "migrations") or component name."""

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Request":
        """Read the request that a front end left for the supervisor."""
        return cls(**content)
