"""Passwords that containers share through files: a one-shot container creates them, and settings include them.

`python -m wallet_kernel.runtime.secret_files FILE...` writes a random password into each FILE that does not exist. If
the environment has a password for the file (`WALLET_SECRET_REDIS` for a file named `redis`), it writes that password.
"""

import os
import re
import secrets
import sys
from pathlib import Path

# These passwords are safe in URLs, SQL and configuration files, and long enough for a service secret.
_PASSWORD = re.compile(r"[A-Za-z0-9_-]{16,}")
_FILE = re.compile(r"\{file:([^}]+)\}")


def expand(text: str) -> str:
    """Replaces `{file:/path}` in a text by the content of the file, without surrounding whitespace.

    Raises:
        ValueError: a file cannot be read.
    """
    return _FILE.sub(lambda match: _read(Path(match[1])), text)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def provide(path: Path, given: str) -> None:
    """Writes `given` into the file. If `given` is empty and the file does not exist, writes a random password.

    Raises:
        ValueError: `given` has less than 16 characters, or others than letters, digits, `_` and `-`.
    """
    if not given and path.exists():
        return
    password = given or secrets.token_hex(16)
    if not _PASSWORD.fullmatch(password):
        raise ValueError(f"the secret '{path.name}' needs at least 16 letters, digits, '_' or '-'")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Writes under another name first, because an interrupted write would leave half a password.
    draft = path.with_suffix(".new")
    draft.write_text(password)
    # Every user may read the file, because containers run as different users. The volume limits who sees it.
    draft.chmod(0o444)
    draft.replace(path)


def main(paths: list[str]) -> None:
    """Provides each of these files."""
    for path in map(Path, paths):
        try:
            provide(path, os.environ.get(f"WALLET_SECRET_{path.name.upper()}", ""))
        except ValueError as error:
            raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
