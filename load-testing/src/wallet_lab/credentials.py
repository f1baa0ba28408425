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
    broker: str
    erlang_cookie: str


def load_or_create(path: Path) -> Credentials:
    """The credentials kept at `path`, made at first use."""
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = Credentials(
        **{field.name: kept.get(field.name) or secrets.token_hex(16) for field in fields(Credentials)}
    )
    if asdict(made) != kept:  # also when a newer lab needs one more
        write_private(path, json.dumps(asdict(made)))
    return made
