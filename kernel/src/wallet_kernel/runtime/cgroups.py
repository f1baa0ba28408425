"""What each container of a machine uses, from its cgroup: version 1 or 2, named by cgroupfs or by systemd."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Docker's names: docker/<id> by the cgroupfs driver, system.slice/docker-<id>.scope by systemd's.
_CONTAINER = re.compile(r"([0-9a-f]{64})|docker-([0-9a-f]{64})\.scope")


class NoCgroups(Exception):
    """A folder is no tree of cgroups with the CPU time in it."""


@dataclass(frozen=True, slots=True)
class CgroupTree:
    """Where a machine's cgroups are, and how its version writes things down."""

    cpu: Path
    memory: Path
    read_cpu_s: Callable[[Path], float]
    anonymous: str
    """Its member of `memory.stat`, which counts the cgroups further down too."""

    def containers(self) -> Iterator[tuple[str, Path]]:
        """The id of every container there is now, and its cgroup."""
        for folder, _, _ in os.walk(self.cpu):
            if match := _CONTAINER.fullmatch(os.path.basename(folder)):  # noqa: PTH119 -- a Path each would cost more
                yield match[1] or match[2], Path(folder).relative_to(self.cpu)

    def cpu_s(self, cgroup: Path) -> float:
        """CPU time of a container's processes, ended ones too, since it was started: then it gets a new cgroup.

        Raises:
            OSError: it has ended.
        """
        return self.read_cpu_s(self.cpu / cgroup)

    def memory_bytes(self, cgroup: Path) -> int:
        """Its anonymous memory: no files, and nothing in shared segments.

        Raises:
            OSError: it has ended, or this machine does not count memory.
        """
        return _stat(self.memory / cgroup / "memory.stat")[self.anonymous]


def cgroup_tree(root: Path) -> CgroupTree:
    """The tree that is mounted on `root`, `/sys/fs/cgroup` of the machine.

    Raises:
        NoCgroups: there is none.
    """
    if (root / "cgroup.controllers").exists():
        return CgroupTree(root, root, lambda cgroup: _stat(cgroup / "cpu.stat")["usage_usec"] / 1e6, "anon")
    if (root / "cpuacct").exists():
        return CgroupTree(root / "cpuacct", root / "memory", _cpu_s_of_version_1, "total_rss")
    raise NoCgroups(f"{root} is no tree of cgroups")


def _cpu_s_of_version_1(cgroup: Path) -> float:
    return int((cgroup / "cpuacct.usage").read_text()) / 1e9


def _stat(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in map(str.split, file.read_text().splitlines())}
