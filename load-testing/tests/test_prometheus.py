"""Prometheus in the lab: its targets, and that it scrapes every service of every stack."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from wallet_lab.architectures import NAMES
from wallet_lab.stack.components import Component, HttpProbe, Stack, Stage
from wallet_lab.stack.servers import prometheus
from wallet_lab.testing import RunningStack, running_stack

needs_prometheus = pytest.mark.skipif(
    not prometheus.PROGRAM.exists(), reason="Prometheus is not installed, and a test does not install it"
)


def component(name: str, metrics_port: int | None) -> Component:
    """A component that is never started."""
    return Component(
        name=name,
        kind="worker",
        argv=(),
        port=1,
        url="",
        probe=HttpProbe(1),
        metrics_port=metrics_port,
    )


def test_targets_are_the_components_with_metrics() -> None:
    """Each component with metrics is a target, with labels for architecture, service and replica."""
    stack = Stack("saga", "", (Stage((component("postgres-0", None),)), Stage((component("worker-0", 99),))))
    labels = {"architecture": "saga", "service": "worker", "instance": "worker-0"}
    assert prometheus.targets(stack) == [{"targets": ["127.0.0.1:99"], "labels": labels}]


@needs_prometheus
def test_configuration_is_valid(tmp_path: Path) -> None:
    """The configuration passes promtool, even before a stack has written its targets."""
    prometheus.write_configuration(tmp_path, tmp_path / "nowhere", NAMES)
    checked = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
@needs_prometheus
def test_prometheus_scrapes_every_service(hostile_folder: Path) -> None:
    """With `monitoring`, Prometheus scrapes every service and loads the rules; without it, it is not started."""
    with running_stack("saga", below=hostile_folder, monitoring=True) as stack:
        kinds = [part.kind for part in stack.components]
        assert kinds[-2:] == ["component-metrics", "prometheus"]
        assert stack.components[-1].healthy
        up = dict.fromkeys(("orchestrator-0", "worker-0", "worker-1", "component-metrics"), 1.0)
        assert wait_for(stack, "up", lambda found: found == up) == up
        assert "TargetDown" in json.dumps(ask(stack, "rules", {}))


def wait_for(stack: RunningStack, query: str, good: Any) -> dict[str, float]:
    """Return a query's value per instance, once `good` accepts it."""
    deadline = time.monotonic() + 20
    while True:
        result = ask(stack, "query", {"query": query})["result"]
        found = {series["metric"]["instance"]: float(series["value"][1]) for series in result}
        if good(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def ask(stack: RunningStack, what: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Return Prometheus' response."""
    url = f"{stack.components[-1].url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url) as answer:  # noqa: S310 -- the stack's own Prometheus
        data: dict[str, Any] = json.load(answer)["data"]
    return data
