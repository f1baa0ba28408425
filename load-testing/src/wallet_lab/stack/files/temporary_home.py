"""A lab home for one test or one measurement."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.stack.files.folder_markers import MARKER, claim, identity_of
from wallet_lab.stack.files.home import StackHome, supervisor_pid

_PREFIX = "wallet-lab-"
_LOCK = f"{MARKER}.lock"
"""While a process uses a home, it holds a lock on this file, which the kernel releases if the process is killed."""


@contextlib.contextmanager
def temporary_home(given: Path | None, below: Path | None = None) -> Iterator[Path]:
    """Yield the given home, or a new one that is removed at the end: in the temporary folder, or in `below`.

    A new home in `below` first removes the homes there whose processes were killed.
    """
    if given is not None:
        yield given.resolve()
        return
    if below is not None:
        below.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(below)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=below)).resolve()
    made.chmod(0o711)  # the databases' account must be able to enter it
    try:
        with _locked(made):
            claim(made)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _remove_leftovers(below: Path) -> None:
    """Remove homes that the lab made and that no process uses."""
    for home in below.glob(f"{_PREFIX}*"):
        with contextlib.suppress(LabError, OSError):
            identity_of(home)
            with _locked(home):
                _remove(home)


def _remove(home: Path) -> None:
    stacks = [StackHome(home, lock.parent.name) for lock in home.glob("*/lock")]
    if all(supervisor_pid(stack) is None for stack in stacks):
        for stack in stacks:
            stack.wipe()
        shutil.rmtree(home)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Lock a home. Raises BlockingIOError if a process, perhaps this one, uses it."""
    with (home / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
