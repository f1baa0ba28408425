"""Reads wallet-stack.toml, the file that describes a stack of the user. docs/bring-your-own.md explains every key."""

import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from wallet_lab.errors import LabError

FILE = "wallet-stack.toml"
_NAME = re.compile("[a-z][a-z0-9-]{0,30}")


class _Table(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A table of the file. A key that it does not have is an error."""


class Process(_Table):
    """One process of the stack."""

    name: str
    argv: tuple[str, ...]
    port: str
    """The name of the port that it listens on."""
    env: dict[str, str] = {}
    ready: str | None = "/readyz"
    """The path that answers 200 when the process is ready; empty: the process is ready when its port is open."""
    hits: str = ""
    """What a fault of this process hits. The report compares faults of different stacks if the words are equal."""


class Description(_Table):
    """The whole file."""

    name: str
    url: str
    """For clients. The other texts, too, may have {folder}, {data} and the names of ports in braces."""
    ports: dict[str, int]
    """The usual ports by name. If one is in use, the lab chooses another."""
    process: tuple[Process, ...]
    """In the order of their start."""
    read_url: str = ""
    """For GET, if it is not `url`."""
    reads: Literal["fresh", "positions"] = "fresh"
    label: str = ""
    colour: str = "#E69F00"
    books: str = ""
    """A Python file of the folder that reads the books; empty: the audit uses the API alone."""


def read_description(folder: Path) -> Description:
    """Read the description of the stack in a folder.

    Raises:
        LabError: the file is missing or is not a description; the text says which key is wrong.
    """
    file = folder / FILE
    try:
        found = msgspec.convert(tomllib.loads(file.read_text()), Description)
    except OSError as error:
        raise LabError(f"{file} cannot be read ({error.strerror}). It describes the stack.") from None
    except (ValueError, msgspec.ValidationError) as error:  # tomllib's errors are ValueErrors
        raise LabError(f"{file} is not the description of a stack: {error}") from None
    for fault in _faults(found):
        raise LabError(f"{file} is not the description of a stack: {fault}")
    return found


def _faults(found: Description) -> list[str]:
    names = [process.name for process in found.process]
    faults = [
        f"the name '{name}' must match {_NAME.pattern}"
        for name in (found.name, *names)
        if not _NAME.fullmatch(name)
    ]
    faults += [f"the process {one.name} has no argv" for one in found.process if not one.argv]
    faults += [
        f"there is no port '{one.port}' in [ports]" for one in found.process if one.port not in found.ports
    ]
    faults += ["there is no [[process]]"] if not names else []
    return faults + (["two processes have the same name"] if len(set(names)) < len(names) else [])
