"""Prometheus and Grafana in containers, beside both stacks: everything is scraped, every panel shows something."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx
import pytest

from tests.monitoring.watched import PrometheusApi, load, settled
from wallet_lab.containers import docker
from wallet_lab.dashboards.catalogue import DASHBOARDS
from wallet_lab.dashboards.panel import Panel
from wallet_lab.docker_stack import DockerStack
from wallet_lab.home import checkout
from wallet_lab.ports import PortChooser

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SOURCES = {"services", "rabbitmq", "postgres-exporter", "redis-exporter", "k6"}
"""All but the lab's own, whose panels tests/monitoring queries."""

SCRAPED = {
    "saga": {"orchestrator", "worker", "postgres", "redis"},
    "cqrs": {"command", "relay", "projection", "query", "postgres", "redis", "rabbitmq"},
}


class Monitoring(NamedTuple):
    """Where the two are."""

    prometheus: PrometheusApi
    grafana_url: str


def images() -> dict[str, str]:
    """Other versions where this machine has no pinned one and cannot fetch it: what is here under `latest`."""
    here = set(docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())
    files = [*checkout().glob("monitoring/*.yml")]
    pinned = re.findall(r"\$\{(\w+_IMAGE):-(.+?):(\S+?)\}", "".join(file.read_text() for file in files))
    return {
        variable: f"{name}:latest"
        for variable, name, tag in pinned
        if f"{name}:{tag}" not in here and f"{name}:latest" in here
    }


@pytest.fixture(scope="module")
def monitoring(stacks: Mapping[str, DockerStack]) -> Iterator[Monitoring]:
    """Both, some seconds after k6 has put load on both stacks."""
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
        docker("compose", "up", "--detach", "--wait", env=env)
        watching = PrometheusApi(f"http://127.0.0.1:{prometheus}")
        load(watching, {name: stack.base_url for name, stack in stacks.items()})
        settled(watching)
        yield Monitoring(watching, f"http://127.0.0.1:{grafana}")
    finally:
        docker("compose", "down", "--volumes", env=env)


@pytest.fixture(scope="session")
def watchers() -> dict[str, dict[str, Any]]:
    """What docker-compose.yml says, with everything it includes."""
    found: dict[str, dict[str, Any]] = json.loads(docker("compose", "config", "--format", "json"))["services"]
    return found


def test_watchers_are_confined(watchers: dict[str, dict[str, Any]]) -> None:
    """As the stacks are: bounded, without capabilities or root, pinned, and published on the loopback at most."""
    for name, one in watchers.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["restart"] == "unless-stopped", name
        assert one["user"] not in {"", "root", "0"}, name
        assert re.search(r":v?\d", one["image"]), name
        assert all(one[bound] for bound in ("mem_limit", "cpus", "pids_limit", "stop_grace_period")), name
        assert all(port["host_ip"] == "127.0.0.1" for port in one.get("ports", ())), name
    assert {name for name, one in watchers.items() if one.get("ports")} == {"prometheus", "grafana"}


@pytest.mark.slow
def test_everything_is_scraped(monitoring: Monitoring) -> None:
    """Every service, every replica of it, every exporter: and all of them answer."""
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
    """With the exporters that only Docker brings."""
    for query in panel.queries:
        assert monitoring.prometheus.series(query.expr), query.expr


@pytest.mark.slow
def test_grafana_has_every_dashboard(monitoring: Monitoring) -> None:
    """Provisioned from the checkout, for anyone on this machine to look at: nobody logs in."""
    assert httpx.get(f"{monitoring.grafana_url}/api/health").raise_for_status().json()["database"] == "ok"
    found = httpx.get(f"{monitoring.grafana_url}/api/search").raise_for_status().json()
    shown = {one["uid"] for one in found if one["type"] == "dash-db"}
    assert shown == {dashboard.uid for dashboard in DASHBOARDS}
