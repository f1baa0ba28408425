"""Handles unexpected errors: one sentence for the user, and the traceback in a file."""

import os
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.stack.files.home import default_home


def describe_unexpected(error: Exception) -> str:
    """Describe the error in a sentence that names the file with the details."""
    return f"{_said(error)}. The details are in {_record(error)}"


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return f"unexpected error: {type(error).__name__}: {' '.join(str(error).split())}".rstrip(": .")


def _record(error: Exception) -> Path:
    """Append the traceback to a log in the lab's home, or in the temporary folder if the home is not writable."""
    text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{''.join(traceback.format_exception(error))}\n"
    log = default_home() / "errors.log"
    try:
        with log.open("a") as file:
            file.write(text)
    except OSError:
        handle, name = tempfile.mkstemp(prefix="wallet-lab-", suffix=".log")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        return Path(name)
    return log
