"""The account that runs the databases, and the folders in which it can keep files.

Postgres refuses to run as root. If the lab runs as root, it creates a system user for the databases. That user may have
no access to the checkout (a clone in /root, for example). The files then live under /var/lib/wallet-lab.
"""

import functools
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from wallet_lab.errors import LabError

ACCOUNT_NAME = "wallet-lab"
OUTSIDE = Path("/var/lib/wallet-lab")


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that unprivileged commands run as."""

    uid: int
    gid: int


@functools.cache
def unprivileged_account() -> Account | None:
    """Return the lab's system user, created if it is missing; None if the lab does not run as root.

    Raises:
        LabError: the user is missing and cannot be created.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        entry = _create_account()
    return Account(entry.pw_uid, entry.pw_gid)


def _create_account() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise LabError(
            f"Postgres does not run as root, and this system has no useradd. Create a user '{ACCOUNT_NAME}' first."
        )
    arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    made = subprocess.run(
        [useradd, *arguments, "--shell", "/usr/sbin/nologin", ACCOUNT_NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        # Another lab may have created the user in the meantime, so only its existence counts.
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        raise LabError(f"could not create the system user '{ACCOUNT_NAME}': {made.stderr.strip()}") from None


def can_enter(directory: Path, account: Account | None) -> bool:
    """Whether the account can enter the directory. The account tries it, because modes alone do not decide it."""
    return _succeeds_as(account, ["/bin/sh", "-c", 'cd "$0"', str(directory)])


def can_run(program: Path, account: Account | None) -> bool:
    """Whether the account can execute the program (which must know `--version`)."""
    return _succeeds_as(account, [str(program), "--version"])


def _succeeds_as(account: Account | None, argv: list[str]) -> bool:
    try:
        finished = subprocess.run(argv, capture_output=True, check=False, cwd="/", **identity(account))
    except OSError:
        return False
    return finished.returncode == 0


class Identity(TypedDict, total=False):
    """The user and groups that `subprocess` runs a program as."""

    user: int
    group: int
    extra_groups: list[int]


def identity(account: Account | None) -> Identity:
    """The arguments that make `subprocess` run as the account."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def open_directory(path: Path) -> Path:
    """Make a directory below `OUTSIDE` that every account can enter, for any umask."""
    for directory in (*reversed(path.parents), path):
        if directory.is_relative_to(OUTSIDE):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
    return path


def private_directory(path: Path, account: Account | None) -> Path:
    """Make a directory that belongs to the account alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is not None:
        os.chown(path, account.uid, account.gid)
    return path


def private_file(path: Path, text: str, account: Account | None) -> None:
    """Write a file that the account alone may read, in a directory of its own."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
        file.write(text)
    if account is not None:
        os.chown(draft, account.uid, account.gid)
    draft.replace(path)


def runnable_copy(program: Path, tree: tuple[Path, ...], account: Account | None) -> Path:
    """Return a program that the account can run: the original, or the same program in a copy of its files `tree`.

    All folders and files of `tree` must be siblings. The program must be one of them or inside one of them.
    """
    if can_run(program, account):
        return program
    # Every installation changes the folder's change time, so an old copy never serves a new version.
    key = hashlib.sha256(str(tree[0]).encode()).hexdigest()[:16]
    copy = OUTSIDE / "programs" / f"{key}-{tree[0].stat().st_ctime_ns}"
    twin = copy / program.relative_to(tree[0].parent)
    if not can_run(twin, account):  # there is no copy, or a power failure left an incomplete one
        for outdated in copy.parent.glob(f"{key}-*"):
            shutil.rmtree(outdated, ignore_errors=True)
        _copy_tree(tree, copy)
    if not can_run(twin, account):
        raise LabError(f"the user '{ACCOUNT_NAME}' can run neither {program} nor its copy {twin}")
    return twin


def _copy_tree(tree: tuple[Path, ...], target: Path) -> None:
    open_directory(target.parent)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=target.parent))
    draft.chmod(0o755)
    for part in tree:
        copy = shutil.copytree if part.is_dir() else shutil.copy2
        copy(part, draft / part.name)
    _open_to_all(draft)
    try:
        draft.rename(target)
    except OSError:
        # Another process finished the same copy first.
        shutil.rmtree(draft)


def _open_to_all(tree: Path) -> None:
    """Give every user access, because a strict umask at installation limits the originals to their owner."""
    for path in tree.rglob("*"):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
