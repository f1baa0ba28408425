"""A lab home for one test."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def private_home(given: Path | None) -> Iterator[Path]:
    """The given home, else one that is removed at the end."""
    if given is not None:
        yield given.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="wallet-lab-")).resolve()
    made.chmod(0o711)  # the databases' account must be able to pass through
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
