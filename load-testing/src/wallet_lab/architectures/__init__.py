"""The registry of the architectures, the only list of their names. Each name is a folder with an `adapter.py`.

A user's own stack is not in the registry. It is found by its folder, and after that by its name as well.
"""

import importlib
from collections.abc import Iterable
from pathlib import Path

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


_own: dict[str, Architecture] = {}
"""The stacks of the user that this process has found, by name."""


def find(name: str) -> Architecture:
    """Return the architecture with this name, or the user's stack in this folder. It is loaded at the first use.

    Raises:
        LabError: there is none; the text lists all names.
    """
    return _find(name, NAMES)


def find_with_ledger(name: str) -> Architecture:
    """Return the architecture with this name, or the user's stack in this folder.

    Raises:
        LabError: there is none that keeps a ledger; the text lists those that do.
    """
    return _find(name, with_ledger())


def _find(name: str, names: tuple[str, ...]) -> Architecture:
    if name in _own:
        return _own[name]
    if name not in NAMES and ("/" in name or Path(name).is_dir()):
        return _load_own(Path(name))
    if name not in names:
        raise LabError(f"there is no architecture '{name}'; there are: {', '.join(names)}")
    found: Architecture = importlib.import_module(f"{__name__}.{name.replace('-', '_')}.adapter").ARCHITECTURE
    return found


def _load_own(folder: Path) -> Architecture:
    """Load the description of the user's stack in a folder."""
    own: Architecture = importlib.import_module(f"{__name__}.custom.architecture").architecture_of(folder)
    if own.name in NAMES or _own.get(own.name, own).source != own.source:
        raise LabError(f"the stack in {folder} needs another name, because there is another '{own.name}'")
    return _own.setdefault(own.name, own)


def every() -> tuple[Architecture, ...]:
    """Return all architectures, in the order of the registry."""
    return tuple(find(name) for name in NAMES)


def with_ledger() -> tuple[str, ...]:
    """Return the names of the architectures that keep a ledger, which can be audited and compared."""
    return tuple(one.name for one in every() if one.ledger is not None)


def compared() -> tuple[Architecture, ...]:
    """Return the architectures that a comparison includes without being asked."""
    return tuple(one for one in every() if one.ledger is not None and one.comparison.by_default)


def control() -> Architecture:
    """Return the control of every comparison: the architecture that does not do the work."""
    return next(one for one in every() if one.ledger is None)


def baseline() -> Architecture:
    """Return the baseline of a comparison: the plain alternative that it includes without being asked."""
    return next(one for one in every() if one.is_baseline and one.comparison.by_default)


def patterns() -> tuple[str, ...]:
    """Return the names of the architectures that keep a ledger and are not baselines: those that the lab is about."""
    return tuple(one.name for one in every() if one.ledger is not None and not one.is_baseline)


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence, such as "a, b or c"."""
    *first, last = names
    return " or ".join([", ".join(first), last] if first else [last])
