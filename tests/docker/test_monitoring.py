"""Prometheus and Grafana in containers: every target of both stacks is scraped, and every panel has data."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.monitoring.watched import PrometheusApi, load, settled
from wallet_lab.architectures import patterns
from wallet_lab.stack.backends.containers import UP_TIMEOUT_S, docker
from wallet_lab.stack.backends.docker import DockerStack, component_of
from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.running import ComponentStatus
from wallet_monitoring.dashboards.catalogue import DASHBOARDS
from wallet_monitoring.dashboards.comparison import COMPARISON
from wallet_monitoring.dashboards.panel import Panel
from wallet_monitoring.processes import cpu_s, family, memory_bytes

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SOURCES = {"services", "components", "rabbitmq", "postgres-exporter", "redis-exporter", "k6"}
"""All sources except the lab's own, whose panels tests/monitoring queries."""

SCRAPED = {
    "saga": {"orchestrator", "worker", "postgres", "redis", "component-metrics"},
    "cqrs": {"command", "relay", "projection", "query", "postgres", "redis", "rabbitmq", "component-metrics"},
}

Stacks = Mapping[str, DockerStack]
BURNT_S = 3
FILES_BYTES = 50 << 20
"""Files of the image that containers share count only for the container that loaded them first."""
SCRAPED_AFTER_S = 7
"""Longer than Prometheus' scrape interval."""


class Monitoring(NamedTuple):
    """The addresses of Prometheus and Grafana."""

    prometheus: PrometheusApi
    grafana_url: str


def images() -> dict[str, str]:
    """Replacements for pinned images that are not on this machine: the local `latest` of the same image."""
    here = set(docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())
    files = [*checkout().glob("monitoring/*.yml")]
    pinned = re.findall(r"\$\{(\w+_IMAGE):-(.+?):(\S+?)\}", "".join(file.read_text() for file in files))
    return {
        variable: f"{name}:latest"
        for variable, name, tag in pinned
        if f"{name}:{tag}" not in here and f"{name}:latest" in here
    }


@pytest.fixture(scope="module")
def monitoring(stacks: Stacks) -> Iterator[Monitoring]:
    """Prometheus and Grafana, some seconds after k6 has loaded both stacks."""
    ports = PortChooser(usual=False)
    prometheus, grafana = ports.choose(9095), ports.choose(4001)
    env = {
        "COMPOSE_PROJECT_NAME": f"wallet-monitoring-{secrets.token_hex(3)}",
        "WALLET_SAGA_PROJECT": stacks["saga"]._project.name,
        "WALLET_CQRS_PROJECT": stacks["cqrs"]._project.name,
        "WALLET_PROMETHEUS_PORT": str(prometheus),
        "WALLET_GRAFANA_PORT": str(grafana),
        **images(),
    }
    try:
        # Only these two are named, because compose must start their exporters as dependencies.
        up = ("up", "--detach", "--wait", "prometheus", "grafana")
        docker("compose", *up, env=env, timeout_s=UP_TIMEOUT_S)
        watching = PrometheusApi(f"http://127.0.0.1:{prometheus}")
        load(watching, {name: stack.base_url for name, stack in stacks.items()})
        settled(watching)
        yield Monitoring(watching, f"http://127.0.0.1:{grafana}")
    finally:
        docker("compose", "down", "--volumes", "--rmi", "local", env=env)


@pytest.fixture(scope="session")
def watchers() -> dict[str, dict[str, Any]]:
    """The services of docker-compose.yml with everything that it includes."""
    found: dict[str, dict[str, Any]] = json.loads(docker("compose", "config", "--format", "json"))["services"]
    return found


def test_watchers_are_confined(watchers: dict[str, dict[str, Any]]) -> None:
    """The watchers are bounded and non-root, built here or pinned, without capabilities, with loopback ports only."""
    for name, one in watchers.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["restart"] == "unless-stopped", name
        assert one["user"] not in {"", "root", "0"}, name
        assert "build" in one or re.search(r":v?\d", one["image"]), name
        assert all(one[bound] for bound in ("mem_limit", "cpus", "pids_limit", "stop_grace_period")), name
        assert all(port["host_ip"] == "127.0.0.1" for port in one.get("ports", ())), name
    assert {name for name, one in watchers.items() if one.get("ports")} == {"prometheus", "grafana"}


def test_watchers_mount_only_files_and_cgroups(watchers: dict[str, dict[str, Any]]) -> None:
    """The watchers mount only the checkout's files and the cgroups, read-only, and not Docker's socket."""
    binds = [
        (name, Path(volume["source"]), volume.get("read_only"))
        for name, one in watchers.items()
        for volume in one.get("volumes", ())
        if volume["type"] == "bind"
    ]
    assert all(read_only for *_, read_only in binds), binds
    elsewhere = {(name, source) for name, source, _ in binds if not source.is_relative_to(checkout())}
    assert elsewhere == {(f"{architecture}-components", Path("/sys/fs/cgroup")) for architecture in SCRAPED}


@pytest.mark.slow
def test_everything_is_scraped(monitoring: Monitoring) -> None:
    """Prometheus scrapes every service with all replicas and every exporter, and all of them answer."""
    up = monitoring.prometheus.series("up == 1")
    for architecture, services in SCRAPED.items():
        assert {one["service"] for one in up if one["architecture"] == architecture} == services
    assert len([one for one in up if one["service"] == "orchestrator"]) == 2
    assert len([one for one in up if one["service"] == "postgres"]) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "panel",
    [panel for dashboard in DASHBOARDS for panel in dashboard.panels if panel.source in SOURCES],
    ids=lambda panel: str(panel.title),
)
def test_every_query_has_data(panel: Panel, monitoring: Monitoring) -> None:
    """Every query of a panel that needs Docker's exporters has data."""
    for query in panel.queries:
        assert monitoring.prometheus.series(query.expr), query.expr


@pytest.mark.slow
@pytest.mark.parametrize("panel", COMPARISON.panels, ids=lambda panel: str(panel.title))
def test_comparison_shows_both_architectures(panel: Panel, monitoring: Monitoring) -> None:
    """Every panel of the comparison has a line for each architecture, as natively."""
    for query in panel.queries:
        shown = {labels.get("architecture") for labels in monitoring.prometheus.series(query.expr)}
        assert shown == {"saga", "cqrs"}, query.expr


def parts(running: DockerStack) -> dict[str, ComponentStatus]:
    """The stack's components by the names that their metrics use, which are those of their services."""
    return {
        container.service if container.number == 1 else f"{container.service}-{container.number}": part
        for container in running._project.containers()
        if (part := component_of(container, running.architecture))
    }


def component_metric(monitoring: Monitoring, name: str, architecture: str) -> dict[str, float]:
    """The last value of each component."""
    return monitoring.prometheus.now(f'{name}{{architecture="{architecture}"}}', "component")


@pytest.mark.slow
@pytest.mark.parametrize("name", patterns())
def test_every_component_has_metrics(name: str, monitoring: Monitoring, stacks: Stacks) -> None:
    """Exactly the long-running containers, including replicas, have metrics, with the kind they have natively."""
    for metric in ("wallet_component_cpu_seconds_total", "wallet_component_memory_bytes"):
        series = monitoring.prometheus.series(f'{metric}{{architecture="{name}"}}')
        kinds = {one["component"]: one["kind"] for one in series}
        assert kinds == {component: part.kind for component, part in parts(stacks[name]).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", patterns())
def test_resources_equal_those_of_the_processes(name: str, monitoring: Monitoring, stacks: Stacks) -> None:
    """CPU and memory from a container's cgroup roughly equal those that the lab reads from its processes."""
    used_s = component_metric(monitoring, "wallet_component_cpu_seconds_total", name)
    memory = component_metric(monitoring, "wallet_component_memory_bytes", name)
    for component, part in parts(stacks[name]).items():
        assert part.pid is not None
        assert used_s[component] > 0.8 * cpu_s(part.pid), component
        without_files = sum(unfiled_bytes(process.pid) for process in family(part.pid))
        assert 0.9 * without_files < memory[component] < 1.1 * memory_bytes(part.pid) + FILES_BYTES, component


def unfiled_bytes(pid: int) -> int:
    """The anonymous and shared memory of a process; pages that others map are divided among them (PSS)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) << 10 for kib in re.findall(r"^Pss_(?:Anon|Shmem): +(\d+) kB", rollup, re.MULTILINE))


@pytest.mark.slow
def test_cpu_time_counts_for_its_component_only(monitoring: Monitoring, stacks: Stacks) -> None:
    """If one component burns a known CPU time, its counter grows by that time and no other counter does."""

    def counters() -> dict[str, float]:
        time.sleep(SCRAPED_AFTER_S)
        return component_metric(monitoring, "wallet_component_cpu_seconds_total", "saga")

    before = counters()
    burn = f"import time\nwhile time.process_time() < {BURNT_S}: pass"
    docker("exec", stacks["saga"]._container("worker-1").id, "python", "-c", burn)
    grown = {name: after - before[name] for name, after in counters().items()}
    assert BURNT_S <= grown.pop("worker-1") < BURNT_S + 1
    assert max(grown.values()) < 1, grown


@pytest.mark.slow
def test_grafana_has_every_dashboard(monitoring: Monitoring) -> None:
    """Grafana has every dashboard of the checkout, readable without a login."""
    assert httpx.get(f"{monitoring.grafana_url}/api/health").raise_for_status().json()["database"] == "ok"
    found = httpx.get(f"{monitoring.grafana_url}/api/search").raise_for_status().json()
    shown = {one["uid"] for one in found if one["type"] == "dash-db"}
    assert shown == {dashboard.uid for dashboard in DASHBOARDS}
