"""An error that no code of the lab expected: one sentence for the user, the traceback in a file."""

import os
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from wallet_lab.home import default_home


def unforeseen(error: Exception) -> str:
    """Describe the error in a sentence that ends with where its details are."""
    return f"{_said(error)}. The details are in {_record(error)}"


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return f"unexpected error: {type(error).__name__}: {' '.join(str(error).split())}".rstrip(": .")


def _record(error: Exception) -> Path:
    """Append the traceback to a log in the lab's home, or in the temporary folder if nothing can be written there."""
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
