"""Cgroups as Docker creates them: both versions, with both drivers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wallet_monitoring.exporters.cgroups import NoCgroups, cgroup_tree

ONE, OTHER = "0a" * 32, "1b" * 32
CGROUPFS, SYSTEMD = "docker/{}", "system.slice/docker-{}.scope"
ROOTLESS = "user.slice/user-1000.slice/user@1000.service/user.slice/docker-{}.scope"


def version_1(root: Path, driver: str) -> Path:
    """Creates a container of version 1 that has used 2.5 s and maps 2.5 MB of anonymous and 0.5 MB of other memory."""
    # Two controllers often share a folder, and each name leads there.
    (root / "cpu,cpuacct").mkdir(parents=True)
    (root / "cpuacct").symlink_to("cpu,cpuacct")
    cpu, memory = (root / name / driver.format(ONE) for name in ("cpuacct", "memory"))
    cpu.mkdir(parents=True)
    memory.mkdir(parents=True)
    (cpu / "cpuacct.usage").write_text("2500000000\n")
    (memory / "memory.stat").write_text(
        "cache 900\nrss 7\nmapped_file 7\ntotal_cache 900\ntotal_rss 2500000\ntotal_mapped_file 500000\n"
    )
    return root


def version_2(root: Path, driver: str) -> Path:
    """Creates the same container for version 2, which counts microseconds in one folder."""
    cgroup = root / driver.format(ONE)
    cgroup.mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    (cgroup / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n")
    (cgroup / "memory.stat").write_text("anon 2500000\nfile 900000\nshmem 800\nfile_mapped 500000\n")
    return root


@pytest.mark.parametrize("driver", [CGROUPFS, SYSTEMD, ROOTLESS])
@pytest.mark.parametrize("make", [version_1, version_2])
def test_resources_of_a_container_are_read(
    make: Callable[[Path, str], Path], driver: str, tmp_path: Path
) -> None:
    """CPU time in seconds and mapped memory in bytes are found for every version and driver."""
    tree = cgroup_tree(make(tmp_path, driver))
    ((found, cgroup),) = tree.containers()
    assert found == ONE
    assert tree.cpu_s(cgroup) == 2.5
    assert tree.memory_bytes(cgroup) == 3_000_000


def test_other_cgroups_are_ignored(tmp_path: Path) -> None:
    """Services, slices, containers of other engines and nested cgroups are ignored."""
    version_2(tmp_path, CGROUPFS)
    others = (
        "system.slice/ssh.service",
        f"machine.slice/libpod-{OTHER}.scope",
        f"docker/{ONE}/init",
        "docker/0a0a",
    )
    for other in others:
        (tmp_path / other).mkdir(parents=True)
    assert [found for found, _ in cgroup_tree(tmp_path).containers()] == [ONE]


def test_read_of_an_ended_container_raises_os_error(tmp_path: Path) -> None:
    """If a container ends between finding and reading it, reading raises OSError."""
    tree = cgroup_tree(version_2(tmp_path, CGROUPFS))
    gone = Path(CGROUPFS.format(OTHER))
    with pytest.raises(FileNotFoundError):
        tree.cpu_s(gone)
    with pytest.raises(FileNotFoundError):
        tree.memory_bytes(gone)


def test_folder_without_cgroups_is_refused(tmp_path: Path) -> None:
    """A missing mount raises NoCgroups; it does not look like a machine without containers."""
    with pytest.raises(NoCgroups, match=str(tmp_path)):
        cgroup_tree(tmp_path)
