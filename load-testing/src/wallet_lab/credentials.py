"""The passwords of a stack: made once, kept over restarts, readable by their owner alone."""

import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from wallet_lab.home import write_private


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Random words of 32 letters and digits, safe inside a URL, SQL and a configuration file alike."""

    database_owner: str
    database_service: str
    redis: str
    service_secret: str


def load_or_create(path: Path) -> Credentials:
    """The credentials kept at `path`, made at first use."""
    if path.exists():
        return Credentials(**json.loads(path.read_text()))
    made = Credentials(*(secrets.token_hex(16) for _ in fields(Credentials)))
    write_private(path, json.dumps(asdict(made)))
    return made
