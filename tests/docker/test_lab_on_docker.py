"""`./lab … --on docker`: benchmarks, faults and audits on containers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wallet_lab.nemesis.faults import find as find_fault
from wallet_lab.nemesis.run import run_faults
from wallet_lab.stack.backends.containers import docker
from wallet_lab.stack.backends.docker import DockerStack, attached, running_on_docker
from wallet_lab.workload.run import run_scenario
from wallet_lab.workload.scenarios import find as find_scenario

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]
WRITER = {"saga": "worker", "cqrs": "projection"}


def test_bench_measures_containers(running: DockerStack) -> None:
    """A run reports throughput, and the CPU time of every kind of container that took part."""
    run = run_scenario(running, find_scenario("hot-pair").lasting(2), warm_up_s=1)
    assert (run.verdict, run.why) == ("passed", "")
    assert run.acked_per_s
    assert run.server_cpu_ms_per_transfer
    assert {"gateway", "redis"} <= run.server_cpu_ms_per_transfer.by_component.keys()


@pytest.mark.parametrize("action", ["kill", "pause", "cut"])
def test_containers_recover_from_faults(running: DockerStack, action: str) -> None:
    """A writer is killed, paused or cut off under load: the stack recovers, and no acknowledged transfer is lost."""
    fault = find_fault(running.adapter, f"{action}-{WRITER[running.architecture]}")
    found = run_faults(running, fault)
    assert (found.verdict, found.why, found.lost) == ("passed", "", 0)
    assert found.injections[0].drained_s is not None


def test_a_project_of_another_name_is_found(running: DockerStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack started with `-p` is found if WALLET_SAGA_PROJECT or WALLET_CQRS_PROJECT names its project."""
    at_port = ("--filter", f"publish={running.base_url.rpartition(':')[2]}")
    name = docker("ps", *at_port, "--format", '{{.Label "com.docker.compose.project"}}').strip()
    monkeypatch.setenv(f"WALLET_{running.architecture.upper()}_PROJECT", name)
    found = attached(running.architecture)
    assert found is not None
    assert found.base_url == running.base_url


def test_baseline_on_docker_is_measured_and_survives_a_kill() -> None:
    """The baseline acid runs from its compose file. Its audit passes after a load, and after a kill of its service."""
    with running_on_docker("acid") as acid:
        assert {part.kind for part in acid.components} == {"gateway", "service", "postgres"}
        run = run_scenario(acid, find_scenario("hot-pair").lasting(2), warm_up_s=1)
        assert (run.verdict, run.why) == ("passed", "")
        fault = find_fault(acid.adapter, "kill-service")
        found = run_faults(acid, fault)
        assert (found.verdict, found.why, found.lost) == ("passed", "", 0)


def test_only_containers_can_be_cut_off() -> None:
    """Processes share the machine's network, so `cut-worker` without Docker fails and suggests `--on docker`."""
    command = [sys.executable, "-m", "wallet_lab", "chaos", "saga", "--fault", "cut-worker"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--on docker" in done.stderr
