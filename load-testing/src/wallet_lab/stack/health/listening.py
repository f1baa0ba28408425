"""Finds the processes that listen on a port. The component itself must listen there, not another stack's."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from wallet_monitoring.processes import family

_LISTEN = "0A"


class Listener(NamedTuple):
    """A listening socket in the kernel's list."""

    inode: int
    uid: int


def listens_alone(pid: int, port: int) -> bool:
    """Whether this process and its descendants listen on the port, and no other process does."""
    found = set(_listeners(port))
    return bool(found) and all(_belongs(listener, pid) for listener in found)


def _listeners(port: int) -> Iterator[Listener]:
    """Return the sockets that listen on a port in this network namespace, on any address."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:  # no IPv6 on this machine
            continue
        for columns in map(str.split, lines):
            if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                yield Listener(inode=int(columns[9]), uid=int(columns[7]))


def _belongs(listener: Listener, pid: int) -> bool:
    return any(_has(process.pid, listener) for process in family(pid))


def _has(pid: int, listener: Listener) -> bool:
    folder = Path(f"/proc/{pid}/fd")
    try:
        return f"socket:[{listener.inode}]" in _links(folder.iterdir())
    except PermissionError:
        # In a container, root may not inspect another account's process. Then the account of the socket must match.
        return folder.parent.stat().st_uid == listener.uid
    except OSError:
        return False


def _links(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        try:
            yield str(file.readlink())
        except FileNotFoundError:
            continue
