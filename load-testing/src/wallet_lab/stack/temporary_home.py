"""A lab home for one test or one measurement."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def temporary_home(given: Path | None, below: Path | None = None) -> Iterator[Path]:
    """Yield the given home, or a new one that is removed at the end: in the temporary folder, or in `below`."""
    if given is not None:
        yield given.resolve()
        return
    if below is not None:
        below.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="wallet-lab-", dir=below)).resolve()
    made.chmod(0o711)  # the databases' account must be able to enter it
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
