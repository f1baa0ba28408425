"""The files of a stack, their content, and the lock of its supervisor."""

import fcntl
import json
import os
import signal
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from wallet_lab.errors import LabError
from wallet_lab.stack.files.accounts import unprivileged_account
from wallet_lab.stack.files.folder_markers import (
    claim,
    data_root,
    delete_folder,
    identity_of,
    is_of_earlier_version,
    require_real,
)
from wallet_lab.stack.files.state_files import STATE_VERSION, read_object, replace_file

_FLOCK = "hhqqi"  # C's struct flock: type, whence, start, length, pid


def default_home() -> Path:
    """Return the folder of the lab's state: WALLET_LAB_HOME, else .lab in the checkout."""
    chosen = os.environ.get("WALLET_LAB_HOME")
    return (Path(chosen) if chosen else checkout() / ".lab").resolve()


def checkout() -> Path:
    """Return the root of the workspace that contains this lab."""
    return Path(__file__).resolve().parents[5]


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
        """The generated passwords, readable only by their owner."""
        return self.root / "secrets"

    @property
    def targets(self) -> Path:
        """Prometheus' targets while the stack is up. The folder also has the targets of other stacks."""
        return self.home / "scrape-targets" / f"{self.architecture}.json"

    def log(self, name: str) -> Path:
        """The log of a component, a task or the supervisor."""
        return self.logs / f"{name}.log"

    def hold(self, name: str) -> Path:
        """While a process holds a lock on this file, a dead component is not restarted (for tests of an outage)."""
        return self.root / "holds" / name

    def data(self) -> Path:
        """The folder of the databases: here, or elsewhere if their account cannot enter this one.

        Raises:
            LabError: it is not certain which folder has the data.
        """
        data = data_root(self.root, unprivileged_account()) / "data"
        if data.is_symlink():
            raise LabError(f"{data} is a symbolic link, which the lab did not make: remove it")
        return data

    def prepare(self) -> None:
        """Make the folders. The databases' account can enter the stack's folder, for any umask.

        Raises:
            LabError: the folders cannot be created there.
        """
        try:
            self._make_folders()
        except OSError as error:
            raise LabError(f"the lab cannot keep its files in {self.home}: {error}") from None

    def _make_folders(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)  # the owner decides its mode
        self.root.mkdir(exist_ok=True)
        claim(self.root)
        self.root.chmod(0o755)
        for folder in (self.logs, self.root / "holds", self.targets.parent):
            if not folder.is_symlink():
                folder.mkdir(mode=0o700, exist_ok=True)
            require_real(folder)
        claim(self.targets.parent)

    def wipe(self) -> None:
        """Remove all data, secrets and the record of the layout. Only the holder of the stack's lock may call this.

        Raises:
            LabError: the lab did not make this folder or the data's folder; nothing is removed.
        """
        if not self.root.exists() or not any(self.root.iterdir()):
            return
        identity_of(self.root)
        place = data_root(self.root, unprivileged_account())
        delete_folder(place / "data")
        if place != self.root:
            delete_folder(place)
        for name in ("secrets", "layout.json", "state.json"):
            (self.root / name).unlink(missing_ok=True)

    def read(self, name: str) -> dict[str, Any]:
        """Read the JSON object with this name; empty if the file is missing or damaged."""
        return read_object(self.root / f"{name}.json") or {}

    def write(self, name: str, content: dict[str, Any], *, durable: bool = True) -> None:
        """Write a JSON object. A reader sees the old object or the new one, never a part."""
        replace_file(self.root / f"{name}.json", json.dumps(content), durable=durable)


def take_lock(home: StackHome) -> IO[str] | None:
    """Take the stack's lock for the life of this process; None if another process holds it."""
    return take_file_lock(home.root / "lock")


def take_file_lock(path: Path) -> IO[str] | None:
    """Lock a file for as long as it is open in this process; None if another process holds the lock."""
    lock = path.open("a+")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def locking_pid(path: Path) -> int | None:
    """Return the process that holds a file's lock, according to the kernel; None if there is none."""
    try:
        lock = path.open()
    except (FileNotFoundError, NotADirectoryError):
        return None
    with lock:
        question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, question))
    return None if answer[0] == fcntl.F_UNLCK else answer[4]


def supervisor_pid(home: StackHome) -> int | None:
    """Return the process that holds the stack's lock; None if the stack is not up."""
    return locking_pid(home.root / "lock")


def state_of(home: StackHome) -> dict[str, Any]:
    """Return the supervisor's record of a stack; empty if the stack is not up or has no record yet.

    Raises:
        LabError: another version of the lab brought the stack up.
    """
    pid = supervisor_pid(home)
    state = home.read("state")
    if (
        pid is None or state.get("supervisor") != pid
    ):  # an earlier supervisor's record does not describe this one
        return {}
    if state.get("version") != STATE_VERSION:
        raise LabError(_explain_other_version(home))
    return state


def _explain_other_version(home: StackHome) -> str:
    name = home.architecture
    then = f"'./lab up {name}'"
    if is_of_earlier_version(home.root):
        then = f"move {home.root} away or delete it with all its data, because this version cannot use them"
    return f"{name} was brought up by another version of the lab: run './lab down {name}', then {then}"


def signal_supervisor(home: StackHome, number: signal.Signals) -> bool:
    """Send a signal to the stack's supervisor; False if there is none.

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
