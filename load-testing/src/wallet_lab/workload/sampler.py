"""Samples the resource usage of a running stack: processor time, memory, disk, and the services' own counters."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from wallet_lab.stack.running import RunningStack
from wallet_monitoring.processes import cpu_s, family, memory_bytes

MEMORY_EVERY_S = 1.0
NOT_SERVERS = {"prometheus", "component-metrics"}
"""Components that watch a stack; they do not count as its costs."""
_DIGITS = "-0123456789"


def kind_of(component: str) -> str:
    """Return a component's name without its number, so that replicas and shards are summed."""
    return component.rstrip(_DIGITS)


@dataclass(frozen=True, slots=True)
class Used:
    """The resource usage of a component and all its processes since its start, ended processes included."""

    cpu_s: float
    disk_bytes: int | None
    """Bytes written to files; None if the lab may not read it."""


def used_by(component: str, pid: int) -> Used:
    """Return the usage of a process and its descendants. The parent's figures include its ended children."""
    # The kernel counts dirtied pages, and a large folio as a whole even if a write touches little of it: a hundred
    # times too much for Postgres' log. Postgres calls write() only for files. In other components write() would include
    # sockets.
    counter = "write_chars" if kind_of(component).startswith("postgres") else "write_bytes"
    disk_bytes = 0
    readable = True
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            try:
                disk_bytes += getattr(process.io_counters(), counter)
            except psutil.AccessDenied:
                readable = False
    return Used(cpu_s(pid), disk_bytes if readable else None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The resource usage of a stack and its machine at one moment."""

    pids: Mapping[str, int]
    used: Mapping[str, Used]
    machine_s: float
    """Elapsed processor time of all cores, busy or idle."""
    busy_s: float
    """The part of it in which a program or the kernel ran."""
    stolen_s: float
    """The part of it that other machines on the same host took."""
    load_average: float
    """Running and runnable processes, mean of the last minute."""
    loopback_bytes: int | None
    """Bytes that all processes sent over the loopback, headers included; None if the stack has its own network."""


def look(stack: RunningStack) -> Snapshot:
    """Sample the usage of every component since its start."""
    pids = servers(stack)
    times = psutil.cpu_times()
    machine_s = sum(times) - times.guest - times.guest_nice  # user and nice already include these two
    used = {name: used_by(name, pid) for name, pid in pids.items()}
    busy_s = machine_s - times.idle - times.iowait - times.steal
    return Snapshot(pids, used, machine_s, busy_s, times.steal, psutil.getloadavg()[0], _loopback_bytes(pids))


def _loopback_bytes(pids: Mapping[str, int]) -> int | None:
    """Return the loopback bytes of all processes, also of other users', because packets have no owner."""
    try:
        networks = {Path(f"/proc/{pid}/ns/net").readlink() for pid in pids.values()}
    except OSError:
        return None
    if networks != {Path("/proc/self/ns/net").readlink()}:
        return None
    return psutil.net_io_counters(pernic=True)["lo"].bytes_recv


def servers(stack: RunningStack) -> dict[str, int]:
    """Return the pid of every component whose work counts as a cost of the stack."""
    return {name: pid for name, pid in stack.pids.items() if kind_of(name) not in NOT_SERVERS}


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage between two snapshots, by kind of component; None if it is unknown."""

    cpu_s: dict[str, float] | None
    disk_bytes: dict[str, float] | None
    loopback_bytes: float | None
    steal_percent: float
    machine_s: float
    """Available processor time."""
    busy_s: float = 0.0
    """The part of it in which a program or the kernel ran."""


def between(before: Snapshot, after: Snapshot) -> Usage:
    """Return the difference. The usage of a component that restarted in between is unknown."""
    passed_s = after.machine_s - before.machine_s
    same = before.pids == after.pids
    return Usage(
        cpu_s=_grown(before, after, lambda used: used.cpu_s) if same else None,
        disk_bytes=_grown(before, after, lambda used: used.disk_bytes) if same else None,
        loopback_bytes=_difference(before.loopback_bytes, after.loopback_bytes),
        steal_percent=100 * (after.stolen_s - before.stolen_s) / passed_s if passed_s else 0.0,
        machine_s=passed_s,
        busy_s=after.busy_s - before.busy_s,
    )


def _grown(
    before: Snapshot, after: Snapshot, amount: Callable[[Used], float | None]
) -> dict[str, float] | None:
    """Return the growth of each kind's amounts; None if one of them is unknown."""
    grown: dict[str, float] = defaultdict(float)
    for name, used in before.used.items():
        more = _difference(amount(used), amount(after.used[name]))
        if more is None:
            return None
        grown[kind_of(name)] += more
    return dict(grown)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


@dataclass(slots=True)
class Memory:
    """The peak memory of each kind of component, MiB."""

    mib_max: dict[str, float] = field(default_factory=dict)

    def note(self, pids: Mapping[str, int]) -> None:
        """Sample the memory."""
        now: dict[str, float] = defaultdict(float)
        for name, pid in pids.items():
            now[kind_of(name)] += memory_bytes(pid) / 2**20
        self.mib_max = {kind: max(mib, self.mib_max.get(kind, 0.0)) for kind, mib in now.items()}


@contextlib.contextmanager
def watching_memory(stack: RunningStack) -> Iterator[Memory]:
    """Sample the stack's memory repeatedly until the block ends."""
    memory, stop = Memory(), threading.Event()
    pids = servers(stack)

    def watch() -> None:
        while not stop.wait(MEMORY_EVERY_S):
            memory.note(pids)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        stop.set()
        watcher.join()
        memory.note(pids)
