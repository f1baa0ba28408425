"""Both architectures under load, watched by one Prometheus: what the dashboards' queries are run against."""

from collections.abc import Iterator

import pytest

from tests.monitoring.watched import PrometheusApi, load, settled
from wallet_lab import prometheus
from wallet_lab.home import ARCHITECTURES
from wallet_lab.private_home import private_home
from wallet_lab.stacks import running_stack


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
        load(server, dict(zip(ARCHITECTURES, (saga.base_url, cqrs.base_url), strict=True)))
        settled(server)
        yield server
