"""The registry of the architectures, the only list of their names. Each name is a folder with an `adapter.py`."""

import importlib
from collections.abc import Iterable

from wallet_lab.architectures.adapter import Architecture
from wallet_lab.errors import LabError

NAMES = (
    "saga",
    "cqrs",
    "acid",
    "acid-batched",
    "two-phase",
    "noop",
)


def find(name: str) -> Architecture:
    """Return the architecture with this name. Its folder is loaded at the first use.

    Raises:
        LabError: there is none; the text lists all names.
    """
    return _find(name, NAMES)


def find_with_ledger(name: str) -> Architecture:
    """Return the architecture with this name.

    Raises:
        LabError: there is none that keeps a ledger; the text lists those that do.
    """
    return _find(name, with_ledger())


def _find(name: str, names: tuple[str, ...]) -> Architecture:
    if name not in names:
        raise LabError(f"there is no architecture '{name}'; there are: {', '.join(names)}")
    found: Architecture = importlib.import_module(f"{__name__}.{name.replace('-', '_')}.adapter").ARCHITECTURE
    return found


def every() -> tuple[Architecture, ...]:
    """Return all architectures, in the order of the registry."""
    return tuple(find(name) for name in NAMES)


def with_ledger() -> tuple[str, ...]:
    """Return the names of the architectures that keep a ledger, which can be audited and compared."""
    return tuple(one.name for one in every() if one.ledger is not None)


def compared() -> tuple[Architecture, ...]:
    """Return the architectures that a comparison includes without being asked."""
    return tuple(one for one in every() if one.comparison.by_default)


def on_docker() -> tuple[str, ...]:
    """Return the names of the architectures that have a compose file."""
    return tuple(one.name for one in every() if one.compose_file is not None)


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence, such as "a, b or c"."""
    *first, last = names
    return " or ".join([", ".join(first), last] if first else [last])
