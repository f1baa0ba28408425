"""A gateway in front of an architecture that needs none."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wallet_lab import architectures
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.servers.caddy import behind_gateway
from wallet_lab.testing import RunningStack, running_stack

SECRETS = Credentials("owner-word", "service-word", "redis-word", "shared-word", "broker-word", "cookie-word")
TRANSFER = {"fromAccount": "a", "toAccount": "b", "amount": 1, "currency": "USD"}


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A stack with a gateway on request."""
    with running_stack("noop", gateway=True) as running:
        yield running


@pytest.mark.slow
def test_clients_choose_between_gateway_and_service(stack: RunningStack) -> None:
    """The base URL is the gateway's; the direct entry is the service's."""
    (direct,) = stack.direct.write_urls
    assert "gateway" in stack.pids
    assert direct != stack.base_url
    for url in (direct, stack.base_url):
        assert httpx.post(f"{url}/wallets/balanceTransfer", json=TRANSFER).status_code == 201
    with stack.outage("gateway"), pytest.raises(httpx.ConnectError):
        httpx.get(f"{stack.base_url}/readyz")


@pytest.mark.parametrize("name", architectures.NAMES)
def test_stack_has_exactly_one_gateway_on_request(name: str) -> None:
    """An architecture that has a gateway of its own gets no second one."""
    ports = PortChooser(usual=False)
    planned = architectures.find(name).plan(Request(), SECRETS, Path("/data"), ports).stack
    stack = behind_gateway(planned, ports)
    assert [part.kind for part in stack.components].count("gateway") == 1
    assert stack.direct == planned.direct
    assert stack.base_url not in stack.direct.write_urls
    ports.release()
