"""Markers of the folders that the lab made. The lab deletes nothing in a folder without a marker.

A marker holds an identity. If the databases' account cannot enter a stack's folder, the identity also names the folder
of the stack's data elsewhere. No file holds a path, so a damaged file can never direct a deletion to another folder.
"""

import contextlib
import fcntl
import json
import os
import pwd
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.stack.files.accounts import OUTSIDE, Account, can_enter, open_directory
from wallet_lab.stack.files.state_files import read_object, replace_file

MARKER = "wallet-lab.json"
MARKED_SINCE = 2
"""The first version of state.json whose folder has a marker."""
_IDENTITY = re.compile(r"[0-9a-f]{32}")


def claim(folder: Path) -> None:
    """Mark an empty folder as the lab's; a folder that is already marked is not changed.

    If two commands claim a folder at the same time, one of them marks it, and both get the same identity.

    Raises:
        LabError: the folder has other content, is a symbolic link, or belongs to another user.
    """
    require_real(folder)
    with _locked(folder):
        if (folder / MARKER).exists():
            identity_of(folder)
            return
        if not _is_empty(folder):
            raise LabError(_explain_lost_marker(folder))
        _mark(folder, secrets.token_hex(16), folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _mark(folder: Path, identity: str, stack: Path) -> None:
    replace_file(folder / MARKER, json.dumps({"identity": identity, "stack": str(stack)}))


def require_real(folder: Path) -> None:
    """Check that this is a folder of this user and no symbolic link. Raises LabError if it is not."""
    if folder.is_symlink() or not folder.is_dir():
        raise LabError(f"{folder} is a symbolic link or a file. The lab uses only its own folder: remove it.")
    if (owner := folder.stat().st_uid) != os.geteuid():
        raise LabError(
            f"{folder} belongs to the user {_name(owner)}: run ./lab as that user, "
            "or set WALLET_LAB_HOME to a folder of your own"
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_new(folder: Path) -> bool:
    """Whether a folder does not exist, or has no marker and no content. Another command may be about to mark it."""
    return not folder.exists() or (not (folder / MARKER).exists() and _is_empty(folder))


def _is_empty(folder: Path) -> bool:
    # Another command may be writing its marker under a temporary name.
    return all(entry.name.startswith(MARKER) for entry in folder.iterdir())


def identity_of(folder: Path) -> str:
    """Return the identity in a folder's marker: 32 hexadecimal digits.

    Raises:
        LabError: the marker is missing or damaged, or the folder does not belong to the lab.
    """
    require_real(folder)
    identity = (read_object(folder / MARKER) or {}).get("identity")
    if not isinstance(identity, str) or not _IDENTITY.fullmatch(identity):
        raise LabError(_explain_lost_marker(folder))
    return identity


def _explain_lost_marker(stack: Path) -> str:
    """Describe the folder and the remedy. A folder of data elsewhere contains a copy of the marker."""
    marker = stack / MARKER
    for copy in OUTSIDE.glob(f"*/{MARKER}"):
        if (read_object(copy) or {}).get("stack") == str(stack):
            return (
                f"{marker} is missing or damaged: copy {copy} to it. "
                f"To start without the data, delete {stack} and {copy.parent} instead."
            )
    remedy = f"move {stack} away, or delete it with all its data, and try again"
    if is_of_earlier_version(stack):
        return f"{stack} has no {MARKER}: an earlier version of the lab made it, and its data cannot be used; {remedy}"
    return f"{marker} is missing or damaged, so perhaps the lab did not make it: {remedy}"


def is_of_earlier_version(stack: Path) -> bool:
    """Whether a version of the lab that made no markers made this folder."""
    state = read_object(stack / "state.json") or {}
    return not (stack / MARKER).exists() and "supervisor" in state and state.get("version", 0) < MARKED_SINCE


def data_root(stack: Path, account: Account | None) -> Path:
    """Return the folder for the account's files: `stack`, or a folder under /var/lib/wallet-lab if it cannot enter.

    Raises:
        LabError: it is not certain which of the two folders has the data.
    """
    outside = OUTSIDE / identity_of(stack)
    if outside.is_dir():
        _require_data_of(outside, stack)
        return outside
    if can_enter(stack, account):
        return stack
    if (stack / "data").exists():
        raise LabError(
            f"the databases are in {stack}, and their user can no longer enter that folder: "
            "give all users the right to enter it and the folders above it (chmod a+x)"
        )
    open_directory(outside)
    _mark(outside, outside.name, stack)
    return outside


def _require_data_of(outside: Path, stack: Path) -> None:
    require_real(outside)
    content = read_object(outside / MARKER)
    if content is None and not any(outside.iterdir()):  # a crash between creating and marking it
        _mark(outside, outside.name, stack)
        return
    found = content or {}
    if found.get("identity") != outside.name:
        raise LabError(
            f"{outside / MARKER} is missing or damaged: if these are data of this stack, copy {stack / MARKER} to it"
        )
    if found.get("stack") != str(stack):
        raise LabError(
            f"{outside} holds the data of {found.get('stack')}: if you moved that folder to {stack}, "
            f"write the new path into {outside / MARKER}; if you copied it, delete the copy"
        )


def delete_folder(folder: Path) -> None:
    """Delete a folder inside a folder that the lab made.

    Raises:
        LabError: it is a symbolic link, or it cannot be deleted.
    """
    if folder.is_symlink():
        raise LabError(f"{folder} is a symbolic link, which the lab did not make: remove it")
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LabError(f"{folder} cannot be deleted: {error}") from None
