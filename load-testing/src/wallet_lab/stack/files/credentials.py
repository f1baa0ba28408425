"""The passwords of a stack: generated once, kept over restarts, readable only by their owner."""

import json
import re
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.stack.files.state_files import read_object, replace_file

_PASSWORD = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Random passwords of 32 letters and digits, which need no escaping in a URL, SQL or a configuration file."""

    database_owner: str
    database_service: str
    redis: str
    service_secret: str
    broker: str
    erlang_cookie: str


def load(path: Path) -> Credentials:
    """Read the credentials of a stack that is up.

    Raises:
        LabError: the file is missing or damaged.
    """
    kept = _kept(path)
    if len(kept) != len(fields(Credentials)):
        raise LabError(
            f"{path} is missing or damaged. Take the stack down with './lab down {path.parent.name}'; "
            f"'./lab up {path.parent.name}' then creates new passwords."
        )
    return Credentials(**kept)


def load_or_create(path: Path) -> Credentials:
    """Read the credentials at `path`, and replace missing or damaged ones. Call it only while the stack is down."""
    kept = _kept(path)
    made = Credentials(
        **{field.name: kept.get(field.name) or secrets.token_hex(16) for field in fields(Credentials)}
    )
    if asdict(made) != kept:  # also if a newer lab needs another password
        replace_file(path, json.dumps(asdict(made)))
    return made


def _kept(path: Path) -> dict[str, str]:
    """Return the passwords in the file that have the lab's format."""
    content = read_object(path) or {}
    passwords = {field.name: content.get(field.name) for field in fields(Credentials)}
    return {
        name: text for name, text in passwords.items() if isinstance(text, str) and _PASSWORD.fullmatch(text)
    }
