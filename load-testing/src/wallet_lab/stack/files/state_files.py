"""Files of the lab's state: replaced atomically, and validated when they are read."""

import json
import os
from pathlib import Path
from typing import Any

from wallet_lab.errors import LabError

STATE_VERSION = 3
"""Version of the supervisor's state.json. Records of another version are not read."""


def replace_file(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file that only its owner may read. After a crash it has the old content or the new one.

    Args:
        path: the file.
        text: its new content.
        durable: also survive a power failure, which waits for the disk. Use False if a reboot makes the content
            worthless.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_object(path: Path) -> dict[str, Any] | None:
    """Read the JSON object in a file; None if the file is missing or contains anything else.

    Raises:
        LabError: the file belongs to another user.
    """
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise LabError(
            f"{path} cannot be read ({error.strerror}): run ./lab as the user who brought the stack up"
        ) from None
    return content if isinstance(content, dict) else None
