"""What a running stack has used so far: processor time, memory, disk, and what its services count."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from wallet_lab.running.stack import RunningStack
from wallet_lab.supervision.processes import cpu_s, family

MEMORY_EVERY_S = 1.0
NOT_SERVERS = {"prometheus", "component-metrics"}
"""What watches a stack is no part of what it costs."""
_DIGITS = "-0123456789"


def kind_of(component: str) -> str:
    """A component's name without its number: replicas and shards of one kind are summed."""
    return component.rstrip(_DIGITS)


@dataclass(frozen=True, slots=True)
class Used:
    """What a component and all its processes, also the ended ones, have used since it was started."""

    cpu_s: float
    disk_bytes: int | None
    """Written to files; None where that may not be read."""


def used_by(component: str, pid: int) -> Used:
    """The use of a process and its descendants. Those that ended are accounted for by who waited for them."""
    # The kernel accounts for pages that became dirty, and for a large folio as a whole however little of it was
    # written: a hundred times too much for Postgres' log. What Postgres hands to write() are its files alone; with
    # the others that would count sockets.
    counter = "write_chars" if kind_of(component).startswith("postgres") else "write_bytes"
    used_s, disk_bytes = 0.0, 0
    readable = True
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            used_s += cpu_s(process)
            try:
                disk_bytes += getattr(process.io_counters(), counter)
            except psutil.AccessDenied:
                readable = False
    return Used(used_s, disk_bytes if readable else None)


def memory_mib(pid: int) -> float:
    """The memory of a process and its descendants; what several share is divided among them (PSS)."""
    total = 0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total / 2**20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at a stack and its machine."""

    pids: Mapping[str, int]
    used: Mapping[str, Used]
    machine_s: float
    """Processor time that has passed, of all cores together, busy or not."""
    stolen_s: float
    """Of that, what other machines on the same host took."""
    load_average: float
    """Processes that ran or wanted to, mean of the last minute."""
    loopback_bytes: int | None
    """What this machine's processes have sent each other, headers included; None if the stack has a network apart."""


def look(stack: RunningStack) -> Snapshot:
    """What every component has used until now."""
    pids = _servers(stack)
    times = psutil.cpu_times()
    machine_s = sum(times) - times.guest - times.guest_nice  # these two are in user and nice already
    used = {name: used_by(name, pid) for name, pid in pids.items()}
    return Snapshot(pids, used, machine_s, times.steal, psutil.getloadavg()[0], _loopback_bytes(pids))


def _loopback_bytes(pids: Mapping[str, int]) -> int | None:
    """Of all processes, those of others too: the kernel does not say whose a packet is."""
    try:
        networks = {Path(f"/proc/{pid}/ns/net").readlink() for pid in pids.values()}
    except OSError:
        return None
    if networks != {Path("/proc/self/ns/net").readlink()}:
        return None
    return psutil.net_io_counters(pernic=True)["lo"].bytes_recv


def _servers(stack: RunningStack) -> dict[str, int]:
    return {name: pid for name, pid in stack.pids.items() if kind_of(name) not in NOT_SERVERS}


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used between two looks, by kind of component; None: not to be had."""

    cpu_s: dict[str, float] | None
    disk_bytes: dict[str, float] | None
    loopback_bytes: float | None
    steal_percent: float
    machine_s: float
    """Processor time there was."""


def between(before: Snapshot, after: Snapshot) -> Usage:
    """The difference. What a component used that was restarted in between is not to be had."""
    passed_s = after.machine_s - before.machine_s
    same = before.pids == after.pids
    return Usage(
        cpu_s=_grown(before, after, lambda used: used.cpu_s) if same else None,
        disk_bytes=_grown(before, after, lambda used: used.disk_bytes) if same else None,
        loopback_bytes=_difference(before.loopback_bytes, after.loopback_bytes),
        steal_percent=100 * (after.stolen_s - before.stolen_s) / passed_s if passed_s else 0.0,
        machine_s=passed_s,
    )


def _grown(
    before: Snapshot, after: Snapshot, amount: Callable[[Used], float | None]
) -> dict[str, float] | None:
    """By how much each kind's amounts grew; None if one of them is not to be had."""
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
    """The most each kind of component was seen to hold at once, MiB."""

    mib_max: dict[str, float] = field(default_factory=dict)

    def note(self, pids: Mapping[str, int]) -> None:
        """Look once more."""
        now: dict[str, float] = defaultdict(float)
        for name, pid in pids.items():
            now[kind_of(name)] += memory_mib(pid)
        self.mib_max = {kind: max(mib, self.mib_max.get(kind, 0.0)) for kind, mib in now.items()}


@contextlib.contextmanager
def watching_memory(stack: RunningStack) -> Iterator[Memory]:
    """Looks at the memory of the stack again and again until the block ends."""
    memory, stop = Memory(), threading.Event()
    pids = _servers(stack)

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
