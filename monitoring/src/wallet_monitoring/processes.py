"""Reads the resources that a process and its descendants use."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil


def family(pid: int) -> Iterator[psutil.Process]:
    """Yields a process and its descendants from the kernel's list; psutil would read every process."""
    try:
        yield psutil.Process(pid)
        children = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except (psutil.NoSuchProcess, OSError):
        return
    for child in " ".join(children).split():
        yield from family(int(child))


def cpu_s(pid: int) -> float:
    """Returns the CPU seconds of a process and its descendants, including those that ended."""
    used_s = 0.0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used_s += times.user + times.system + times.children_user + times.children_system
    return used_s


def memory_bytes(pid: int) -> int:
    """Returns the memory of a process and its descendants as proportional set size (PSS).

    A page that several processes map is divided among them, so that a sum over processes counts it once. Processes that
    this user may not inspect count 0. Source: the kernel's documentation of /proc/PID/smaps_rollup.
    """
    total = 0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total
