"""The faults as plain data: an action on a target of an architecture."""

from dataclasses import dataclass
from typing import Literal

from wallet_lab.architectures.adapter import Architecture, Target
from wallet_lab.errors import LabError

Action = Literal["kill", "pause", "cut"]

EVERYTHING = Target("all", "*", "every component")
"""All components together, as if the machine's processes ended by a crash. The files that they have written stay."""


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
    """Return all faults of an architecture, by name: every action on every target, and the end of all together."""
    found = [Fault(action, target) for action in _DONE for target in architecture.targets]
    return {fault.name: fault for fault in (*found, Fault("kill", EVERYTHING))}


def possible(architecture: Architecture, *, on_containers: bool) -> list[Fault]:
    """Return the faults that a stack supports: processes share the machine's network, so only containers can be cut."""
    return [fault for fault in faults(architecture).values() if on_containers or fault.action != "cut"]


def find(architecture: Architecture, name: str) -> Fault:
    """Return the fault with this name.

    Raises:
        LabError: there is none; the text lists all names.
    """
    known = faults(architecture)
    if name not in known:
        raise LabError(f"{architecture.name} has no fault '{name}'; there are: {', '.join(known)}")
    return known[name]
