"""Both architectures under load, watched by one Prometheus: what the dashboards' queries are run against."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitoring.watched import PrometheusApi, settled
from wallet_lab import prometheus
from wallet_lab.home import ARCHITECTURES
from wallet_lab.private_home import private_home
from wallet_lab.stacks import RunningStack, running_stack

SCRIPT = Path(__file__).parents[2] / "load-testing" / "script.js"
SCENARIOS = ("refusals", "mixed")
"""One after the other: transfers of every outcome with the compensations they cost, then reads."""


@pytest.fixture(scope="session")
def watched() -> Iterator[PrometheusApi]:
    """The Prometheus of the lab, some seconds after k6 has put load on both architectures."""
    if not prometheus.PROGRAM.exists():
        pytest.skip("there is no Prometheus, and a test does not install one")
    with (
        private_home(None) as home,
        running_stack("saga", home=home, monitoring=True) as saga,
        running_stack("cqrs", home=home, monitoring=True) as cqrs,
    ):
        server = PrometheusApi(cqrs.components[-1].url)
        for scenario in SCENARIOS:
            load(scenario, server, dict(zip(ARCHITECTURES, (saga, cqrs), strict=True)))
        settled(server)
        yield server


def load(scenario: str, server: PrometheusApi, stacks: dict[str, RunningStack]) -> None:
    """Puts a scenario on all stacks at once; k6 writes what it measures to Prometheus."""
    running = [
        subprocess.Popen(
            [
                *("k6", "run", "--quiet", "-o", "experimental-prometheus-rw", str(SCRIPT)),
                *(
                    "-e",
                    f"SCENARIO={scenario}",
                    "-e",
                    f"ARCH={architecture}",
                    "-e",
                    f"BASE_URL={stack.base_url}",
                ),
                *("-e", "WALLETS=20", "-e", "VUS=2", "-e", "DURATION=6s", "-e", f"WALLET_PREFIX={scenario}-"),
            ],
            env={**os.environ, **server.k6_environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for architecture, stack in stacks.items()
    ]
    for process in running:
        process.wait(timeout=60)
