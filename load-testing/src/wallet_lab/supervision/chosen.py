"""Which stack a command means."""

from wallet_lab.errors import LabError
from wallet_lab.home import ARCHITECTURES, StackHome, default_home, supervisor_pid


def stack_home(architecture: str) -> StackHome:
    """The stack of an architecture. Raises LabError if there is no such architecture."""
    if architecture not in ARCHITECTURES:
        raise LabError(f"there is no architecture '{architecture}'; there are: {', '.join(ARCHITECTURES)}")
    return StackHome(default_home(), architecture)


def homes(architecture: str | None) -> list[StackHome]:
    """The named stack, else all."""
    return [stack_home(name) for name in ([architecture] if architecture else ARCHITECTURES)]


def one_home(architecture: str | None) -> StackHome:
    """The named stack, else the one that is up, else the first: it says itself that it is not up."""
    all_homes = homes(architecture)
    up_now = [home for home in all_homes if supervisor_pid(home) is not None]
    if len(up_now) > 1:
        raise LabError(f"several are up: say which of {', '.join(home.architecture for home in up_now)}")
    return (up_now or all_homes)[0]
