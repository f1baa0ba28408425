"""Where a stack keeps its files, what is written there, and who holds its lock."""

import fcntl
import json
import os
import shutil
import signal
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from wallet_lab.accounts import quarters, unprivileged_account
from wallet_lab.errors import LabError

ARCHITECTURES = ("saga", "cqrs")
_FLOCK = "hhqqi"  # C's struct flock: type, whence, start, length, pid


def default_home() -> Path:
    """The lab's state: WALLET_LAB_HOME, else .lab in the checkout."""
    chosen = os.environ.get("WALLET_LAB_HOME")
    return Path(chosen).resolve() if chosen else checkout() / ".lab"


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
        """While this file exists, a component that died stays down (for tests of an outage)."""
        return self.root / "holds" / name

    def data(self) -> Path:
        """Where the databases are: here, or outside when their account cannot come here."""
        return quarters(self.root, unprivileged_account()) / "data"

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
        self.root.chmod(0o755)
        for folder in (self.logs, self.root / "holds", self.targets.parent):
            folder.mkdir(mode=0o700, exist_ok=True)

    def wipe(self) -> None:
        """Remove all data, secrets and the record of the layout."""
        if not self.root.exists():
            return
        place = quarters(self.root, unprivileged_account())
        shutil.rmtree(place / "data" if place == self.root else place, ignore_errors=True)
        for name in ("secrets", "layout.json", "state.json", "outside"):
            (self.root / name).unlink(missing_ok=True)

    def read(self, name: str) -> dict[str, Any]:
        """A JSON object kept under this name; empty when there is none."""
        try:
            content: dict[str, Any] = json.loads((self.root / f"{name}.json").read_text())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return content

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Keep a JSON object; a reader sees the old one or the new one, never half of it."""
        write_private(self.root / f"{name}.json", json.dumps(content))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def take_lock(home: StackHome) -> IO[str] | None:
    """Become the stack's supervisor: the lock lasts as long as the process. None when taken."""
    lock = (home.root / "lock").open("a+")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def supervisor_pid(home: StackHome) -> int | None:
    """The process that holds the stack's lock, as the kernel knows it; None when the stack is not up."""
    try:
        lock = (home.root / "lock").open()
    except (FileNotFoundError, NotADirectoryError):
        return None
    with lock:
        question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, question))
    return None if answer[0] == fcntl.F_UNLCK else answer[4]


def signal_supervisor(home: StackHome, number: signal.Signals) -> bool:
    """Send a signal to the stack's supervisor; False when there is none."""
    pid = supervisor_pid(home)
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
