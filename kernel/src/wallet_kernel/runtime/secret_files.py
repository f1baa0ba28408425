"""Passwords that containers share through files: made once by a one-shot, put into settings by whoever reads them.

`python -m wallet_kernel.runtime.secret_files FILE...` writes a random word into each FILE that is not there yet. A word
given in the environment (`WALLET_SECRET_REDIS` for a file named `redis`) goes first.
"""

import os
import re
import secrets
import sys
from pathlib import Path

# Safe inside a URL, SQL and a configuration file alike, and long enough for a service secret.
_WORD = re.compile(r"[A-Za-z0-9_-]{16,}")
_FILE = re.compile(r"\{file:([^}]+)\}")


def expand(text: str) -> str:
    """Puts the content of a file wherever the text says `{file:/path}`; spaces around the content do not count.

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
    """Writes `given` into the file or, if that is empty, a random word unless the file has one.

    Raises:
        ValueError: `given` has less than 16 characters, or others than letters, digits, `_` and `-`.
    """
    if not given and path.exists():
        return
    word = given or secrets.token_hex(16)
    if not _WORD.fullmatch(word):
        raise ValueError(f"the secret '{path.name}' needs at least 16 letters, digits, '_' or '-'")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under another name first: an interrupted write would leave half a password.
    draft = path.with_suffix(".new")
    draft.write_text(word)
    # Each container has a user of its own; who may see the file is decided by who mounts its volume.
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
