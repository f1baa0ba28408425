"""Where a stack keeps its files, what is written there, and who holds its lock."""

import fcntl
import json
import os
import signal
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from wallet_lab.accounts import unprivileged_account
from wallet_lab.belonging import claim, delete_folder, identity_of, quarters
from wallet_lab.errors import LabError
from wallet_lab.state_files import read_object, replace_file

ARCHITECTURES = ("saga", "cqrs")
STATE_VERSION = 2
"""Of what a supervisor records in state.json; another version's records are not read."""
_FLOCK = "hhqqi"  # C's struct flock: type, whence, start, length, pid


def default_home() -> Path:
    """The lab's state: WALLET_LAB_HOME, else .lab in the checkout."""
    chosen = os.environ.get("WALLET_LAB_HOME")
    return (Path(chosen) if chosen else checkout() / ".lab").resolve()


def checkout() -> Path:
    """The root of the workspace this lab runs from."""
    return Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class StackHome:
    """The files of one architecture's stack, all below `root`."""

    home: Path
    architecture: str

    @property
    def root(self) -> Path:
        """The folder of this stack."""
        return self.home / self.architecture

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Generated passwords, for the owner's eyes."""
        return self.root / "secrets"

    @property
    def targets(self) -> Path:
        """What Prometheus is to scrape while the stack is up; beside it lies what other stacks left."""
        return self.home / "targets" / f"{self.architecture}.json"

    def log(self, name: str) -> Path:
        """The log of a component, a task or the supervisor."""
        return self.logs / f"{name}.log"

    def hold(self, name: str) -> Path:
        """While a process has locked this file, a component that died stays down (for tests of an outage)."""
        return self.root / "holds" / name

    def data(self) -> Path:
        """Where the databases are: here, or outside when their account cannot come here.

        Raises:
            LabError: it is not certain where they are.
        """
        data = quarters(self.root, unprivileged_account()) / "data"
        if data.is_symlink():
            raise LabError(f"{data} is a symbolic link, which the lab did not make: remove it")
        return data

    def prepare(self) -> None:
        """Make the folders; the stack's own is enterable by the databases' account whatever the umask.

        Raises:
            LabError: they cannot be made there.
        """
        try:
            self._make_folders()
        except OSError as error:
            raise LabError(f"the lab cannot keep its files in {self.home}: {error}") from None

    def _make_folders(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)  # its mode is its owner's business
        self.root.mkdir(exist_ok=True)
        claim(self.root)
        self.root.chmod(0o755)
        for folder in (self.logs, self.root / "holds", self.targets.parent):
            folder.mkdir(mode=0o700, exist_ok=True)

    def wipe(self) -> None:
        """Remove all data, secrets and the record of the layout.

        Raises:
            LabError: this folder, or that of the data, is not one that the lab made; nothing is removed.
        """
        if not self.root.exists() or not any(self.root.iterdir()):
            return
        identity_of(self.root)
        place = quarters(self.root, unprivileged_account())
        delete_folder(place / "data")
        if place != self.root:
            delete_folder(place)
        for name in ("secrets", "layout.json", "state.json"):
            (self.root / name).unlink(missing_ok=True)

    def read(self, name: str) -> dict[str, Any]:
        """A JSON object kept under this name; empty when there is none, or a damaged one."""
        return read_object(self.root / f"{name}.json") or {}

    def write(self, name: str, content: dict[str, Any], *, durable: bool = True) -> None:
        """Keep a JSON object; a reader sees the old one or the new one, never half of it."""
        replace_file(self.root / f"{name}.json", json.dumps(content), durable=durable)


def take_lock(home: StackHome) -> IO[str] | None:
    """Become the stack's supervisor: the lock lasts as long as the process. None when taken."""
    return take_file_lock(home.root / "lock")


def take_file_lock(path: Path) -> IO[str] | None:
    """Lock a file for as long as it is open in this process; None when another process has locked it."""
    lock = path.open("a+")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def locking_pid(path: Path) -> int | None:
    """The process that has locked a file, as the kernel knows it; None when there is none."""
    try:
        lock = path.open()
    except (FileNotFoundError, NotADirectoryError):
        return None
    with lock:
        question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, question))
    return None if answer[0] == fcntl.F_UNLCK else answer[4]


def supervisor_pid(home: StackHome) -> int | None:
    """The process that holds the stack's lock; None when the stack is not up."""
    return locking_pid(home.root / "lock")


def state_of(home: StackHome) -> dict[str, Any]:
    """What the supervisor of a stack recorded; empty when the stack is not up, or has recorded nothing yet.

    Raises:
        LabError: another version of the lab brought the stack up.
    """
    pid = supervisor_pid(home)
    state = home.read("state")
    if (
        pid is None or state.get("supervisor") != pid
    ):  # what an earlier supervisor wrote is not about this one
        return {}
    if state.get("version") != STATE_VERSION:
        raise LabError(
            f"{home.architecture} was brought up by another version of the lab: "
            f"run './lab down {home.architecture}', then './lab up {home.architecture}'"
        )
    return state


def signal_supervisor(home: StackHome, number: signal.Signals) -> bool:
    """Send a signal to the stack's supervisor; False when there is none.

    Raises:
        LabError: the stack belongs to another user.
    """
    pid = supervisor_pid(home)
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise LabError(
            f"{home.architecture} was brought up by another user: run ./lab as that user"
        ) from None
    return True
