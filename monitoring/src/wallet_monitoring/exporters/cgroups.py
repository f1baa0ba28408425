"""Resource use of the containers of a machine, read from their cgroups: version 1 or 2, cgroupfs or systemd names."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Docker's names: docker/<id> by the cgroupfs driver, system.slice/docker-<id>.scope by systemd's.
_CONTAINER = re.compile(r"([0-9a-f]{64})|docker-([0-9a-f]{64})\.scope")


class NoCgroups(Exception):
    """A folder is not a tree of cgroups that contains the CPU time."""


@dataclass(frozen=True, slots=True)
class CgroupTree:
    """The cgroups of a machine: their location, and the file formats of their version."""

    cpu: Path
    memory: Path
    read_cpu_s: Callable[[Path], float]
    mapped: tuple[str, str]
    """The members of `memory.stat` that count anonymous and other mapped memory, including the cgroups below."""

    def containers(self) -> Iterator[tuple[str, Path]]:
        """Yields the id and the cgroup of every container that exists now."""
        for folder, _, _ in os.walk(self.cpu):
            if match := _CONTAINER.fullmatch(os.path.basename(folder)):  # noqa: PTH119 -- a Path each would cost more
                yield match[1] or match[2], Path(folder).relative_to(self.cpu)

    def cpu_s(self, cgroup: Path) -> float:
        """Returns the CPU seconds of a container since its start, including processes that ended.

        A container that starts again gets a new cgroup.

        Raises:
            OSError: the container has ended.
        """
        return self.read_cpu_s(self.cpu / cgroup)

    def memory_bytes(self, cgroup: Path) -> int:
        """Returns the memory that a container's processes map; each page counts once, as in a sum of PSS.

        A page of a file counts only for the container that loaded it first.

        Raises:
            OSError: the container has ended, or this machine does not count memory.
        """
        counted = _stat(self.memory / cgroup / "memory.stat")
        return sum(counted[name] for name in self.mapped)


def cgroup_tree(root: Path) -> CgroupTree:
    """Returns the tree that is mounted on `root`, which is the machine's `/sys/fs/cgroup`.

    Raises:
        NoCgroups: `root` is no tree of cgroups.
    """
    if (root / "cgroup.controllers").exists():
        return CgroupTree(root, root, _cpu_s_of_version_2, ("anon", "file_mapped"))
    if (root / "cpuacct").exists():
        return CgroupTree(
            root / "cpuacct", root / "memory", _cpu_s_of_version_1, ("total_rss", "total_mapped_file")
        )
    raise NoCgroups(f"{root} is no tree of cgroups")


def _cpu_s_of_version_2(cgroup: Path) -> float:
    return _stat(cgroup / "cpu.stat")["usage_usec"] / 1e6


def _cpu_s_of_version_1(cgroup: Path) -> float:
    return int((cgroup / "cpuacct.usage").read_text()) / 1e9


def _stat(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in map(str.split, file.read_text().splitlines())}
