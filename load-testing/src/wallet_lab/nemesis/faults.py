"""The faults as plain data: an action on a target of an architecture."""

from dataclasses import dataclass
from typing import Literal

from wallet_lab.architectures.adapter import Architecture, Target
from wallet_lab.errors import LabError

Action = Literal["kill", "pause", "cut"]


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


def faults(architecture: Architecture) -> dict[str, Fault]:
    """Return all faults of an architecture, by name."""
    found = [Fault(action, target) for action in _DONE for target in architecture.targets]
    return {fault.name: fault for fault in found}


def find(architecture: Architecture, name: str) -> Fault:
    """Return the fault with this name.

    Raises:
        LabError: there is none; the text lists all names.
    """
    known = faults(architecture)
    if name not in known:
        raise LabError(f"{architecture.name} has no fault '{name}'; there are: {', '.join(known)}")
    return known[name]
