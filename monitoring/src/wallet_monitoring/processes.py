"""Reads the processes of a component from outside."""

from collections.abc import Iterator
from pathlib import Path

import psutil


def family(pid: int) -> Iterator[psutil.Process]:
    """Yield a process and its descendants from the kernel's list; psutil would read every process."""
    try:
        yield psutil.Process(pid)
        children = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except (psutil.NoSuchProcess, OSError):
        return
    for child in " ".join(children).split():
        yield from family(int(child))


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its reaped children. Raises psutil.NoSuchProcess."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
