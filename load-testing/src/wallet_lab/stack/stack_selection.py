"""Selects the stack for a command."""

from wallet_lab import architectures
from wallet_lab.errors import LabError
from wallet_lab.stack.files.home import StackHome, default_home, supervisor_pid


def stack_home(architecture: str) -> StackHome:
    """Return the stack of an architecture. Raises LabError if there is no such architecture."""
    return StackHome(default_home(), architectures.find_with_ledger(architecture).name)


def homes(architecture: str | None) -> list[StackHome]:
    """Return the named stack, else all."""
    if architecture:
        return [stack_home(architecture)]
    return [StackHome(default_home(), name) for name in (*architectures.with_ledger(), *_own_names())]


def _own_names() -> list[str]:
    """Return the names of the user's own stacks that have been up, by their folders."""
    known = {place.parent.name for place in default_home().glob("*/layout.json")}
    return sorted(known - set(architectures.NAMES))


def shown_homes(architecture: str | None) -> list[StackHome]:
    """Return the named stack, else those that are up, else the first, whose status says that it is not up."""
    all_homes = homes(architecture)
    return [home for home in all_homes if supervisor_pid(home) is not None] or all_homes[:1]


def home_of_log(component: str | None, architecture: str | None) -> StackHome:
    """Return the stack of a log. If several are up, it is the one with this component.

    Raises:
        LabError: several have it.
    """
    shown = shown_homes(architecture)
    having = [home for home in shown if component and home.log(component).exists()] or shown
    if len(having) > 1:
        names = " or ".join(f"--arch {home.architecture}" for home in having)
        raise LabError(f"several architectures are up: add {names}")
    return having[0]
