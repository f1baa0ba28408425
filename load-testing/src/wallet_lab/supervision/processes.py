"""The processes of a component, seen from outside."""

from collections.abc import Iterator
from pathlib import Path

import psutil


def family(pid: int) -> Iterator[psutil.Process]:
    """A process and its descendants, as the kernel lists them: psutil would look at every process of the machine."""
    try:
        yield psutil.Process(pid)
        children = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except (psutil.NoSuchProcess, OSError):
        return
    for child in " ".join(children).split():
        yield from family(int(child))


def cpu_s(process: psutil.Process) -> float:
    """What it has used, and those of its children that ended and were waited for. Raises psutil.NoSuchProcess."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
