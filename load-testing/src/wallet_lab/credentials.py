"""The passwords of a stack: made once, kept over restarts, readable by their owner alone."""

import json
import re
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.state_files import read_object, replace_file

_WORD = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Random words of 32 letters and digits, safe inside a URL, SQL and a configuration file alike."""

    database_owner: str
    database_service: str
    redis: str
    service_secret: str
    broker: str
    erlang_cookie: str


def load(path: Path) -> Credentials:
    """The credentials of a stack that is up.

    Raises:
        LabError: the file is missing or damaged.
    """
    kept = _kept(path)
    if len(kept) != len(fields(Credentials)):
        raise LabError(
            f"{path} is missing or damaged: take the stack down with './lab down {path.parent.name}'; "
            f"'./lab up {path.parent.name}' then makes new passwords"
        )
    return Credentials(**kept)


def load_or_create(path: Path) -> Credentials:
    """The credentials kept at `path`; a word that is missing or damaged is replaced. Only while the stack is down."""
    kept = _kept(path)
    made = Credentials(
        **{field.name: kept.get(field.name) or secrets.token_hex(16) for field in fields(Credentials)}
    )
    if asdict(made) != kept:  # also when a newer lab needs one more
        replace_file(path, json.dumps(asdict(made)))
    return made


def _kept(path: Path) -> dict[str, str]:
    """Those words in the file that are as the lab makes them."""
    content = read_object(path) or {}
    words = {field.name: content.get(field.name) for field in fields(Credentials)}
    return {name: word for name, word in words.items() if isinstance(word, str) and _WORD.fullmatch(word)}
