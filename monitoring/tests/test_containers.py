"""The metrics of a stack's containers, with a fake tree of cgroups and a fake DNS."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_monitoring.exporters.cgroups import cgroup_tree
from wallet_monitoring.exporters.container_names import ContainerNames
from wallet_monitoring.exporters.containers import Containers, kinds_of

IDS = {"0a" * 32: "wallet-redis-1", "1b" * 32: "wallet-events-1", "2c" * 32: "watching-prometheus-1"}
KINDS = {"redis": "redis", "events": "postgres"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Creates three containers; the n-th has used n seconds and n bytes."""
    (tmp_path / "cgroup.controllers").touch()
    for number, one in enumerate(IDS, start=1):
        write(tmp_path / "docker" / one, cpu_s=number, memory_bytes=number)
    return tmp_path


def write(cgroup: Path, cpu_s: int, memory_bytes: int) -> None:
    cgroup.mkdir(parents=True, exist_ok=True)
    (cgroup / "cpu.stat").write_text(f"usage_usec {cpu_s * 1_000_000}\n")
    (cgroup / "memory.stat").write_text(f"anon {memory_bytes}\nfile_mapped 0\n")


def watching(root: Path) -> Containers:
    return Containers(cgroup_tree(root), ContainerNames(IDS.__getitem__), "wallet", KINDS)


def exported(containers: Containers) -> dict[tuple[str, str], list[float]]:
    """Returns the exported values, by component and kind: CPU time, and memory if it is counted."""
    found: dict[tuple[str, str], list[float]] = {}
    for family in containers.collect():
        for sample in family.samples:
            found.setdefault((sample.labels["component"], sample.labels["kind"]), []).append(sample.value)
    return found


def test_only_containers_of_the_stack_are_exported(root: Path) -> None:
    """Each component has its service's name; other containers of the network are ignored."""
    containers = watching(root)
    containers.refresh()
    assert exported(containers) == {("redis", "redis"): [1, 1], ("events", "postgres"): [2, 2]}


def test_ended_container_has_no_value(root: Path) -> None:
    """An ended container has no value; after a restart it counts from 0."""
    containers = watching(root)
    containers.refresh()
    cgroup = root / "docker" / next(iter(IDS))
    for file in cgroup.iterdir():
        file.unlink()
    cgroup.rmdir()
    assert ("redis", "redis") not in exported(containers)
    write(cgroup, cpu_s=0, memory_bytes=5)
    assert exported(containers)["redis", "redis"] == [0, 5]


def test_cpu_time_is_exported_without_memory_controller(root: Path) -> None:
    """Without the memory controller, CPU time is still exported."""
    for file in root.rglob("memory.stat"):
        file.unlink()
    containers = watching(root)
    containers.refresh()
    assert exported(containers) == {("redis", "redis"): [1], ("events", "postgres"): [2]}


def test_scrape_queries_no_names(root: Path) -> None:
    """An unresponsive DNS does not delay a scrape, because names are queried between scrapes."""
    queries: list[str] = []

    def resolve(container_id: str) -> str:
        queries.append(container_id)
        return IDS.get(container_id, "wallet-redis-2")

    containers = Containers(cgroup_tree(root), ContainerNames(resolve), "wallet", KINDS)
    containers.refresh()
    write(root / "docker" / ("3d" * 32), cpu_s=4, memory_bytes=4)
    assert len(exported(containers)) == 2
    assert len(queries) == len(IDS)
    containers.refresh()
    assert exported(containers)["redis-2", "redis"] == [4, 4]


def test_kind_may_differ_from_service() -> None:
    """The kind of a database may differ from its service's name."""
    assert kinds_of(["redis", "events=postgres"]) == KINDS


@pytest.fixture
def unused_port() -> int:
    """Returns a free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def served(root: Path, unused_port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Starts the program with the test's cgroups on its own port."""
    module = (sys.executable, "-m", "wallet_monitoring.exporters.containers")
    process = subprocess.Popen(
        (*module, str(root), "wallet", "redis"), env={**os.environ, "WALLET_PORT": str(unused_port)}
    )
    yield process, f"http://127.0.0.1:{unused_port}"
    process.kill()
    process.wait()


def test_program_serves_until_sigterm(served: tuple[subprocess.Popen[bytes], str]) -> None:
    """The program answers Prometheus and its healthcheck, and ends on SIGTERM."""
    process, url = served
    deadline = time.monotonic() + 20
    while not (answer := get(f"{url}/metrics")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "# TYPE wallet_component_cpu_seconds_total counter" in answer
    assert "# TYPE wallet_component_memory_bytes gauge" in answer
    assert get(f"{url}/readyz")
    process.terminate()
    assert process.wait(timeout=5) == 0


def get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- the test's own process
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, OSError):
        return ""


def test_program_exits_without_cgroups(tmp_path: Path) -> None:
    """Without the mount, the program exits with one sentence."""
    module = (sys.executable, "-m", "wallet_monitoring.exporters.containers")
    done = subprocess.run((*module, str(tmp_path), "wallet"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"{tmp_path} is no tree of cgroups\n")
