"""Runs both architectures under load with one Prometheus, for the tests of queries and traces."""

from collections.abc import Iterator

import pytest

from tests.monitoring.collector import Collector, collecting
from tests.monitoring.watched import PrometheusApi, load, settled
from wallet_lab.architectures import patterns
from wallet_lab.stack.backends.native import running_stack
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.stack.servers import prometheus

TRACED_SHARE = 0.1


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """The collector of the services' traces."""
    with collecting() as started:
        yield started


@pytest.fixture(scope="session")
def watched(collector: Collector) -> Iterator[PrometheusApi]:
    """The lab's Prometheus, some seconds after k6 has loaded both architectures."""
    if not prometheus.PROGRAM.exists():
        pytest.skip("Prometheus is not installed, and tests do not install it")
    settings = {
        "WALLET_BOOKS_INTERVAL_S": "2",
        "WALLET_TRACES_URL": collector.url,
        "WALLET_TRACES_SHARE": str(TRACED_SHARE),
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }
    with (
        temporary_home(None) as home,
        running_stack("saga", home=home, monitoring=True, extra_env={"*": settings}) as saga,
        running_stack("cqrs", home=home, monitoring=True, extra_env={"*": settings}) as cqrs,
    ):
        server = PrometheusApi(cqrs.components[-1].url)
        load(server, dict(zip(patterns(), (saga.base_url, cqrs.base_url), strict=True)))
        settled(server)
        yield server
