"""Options and fixtures that select the system under test: ``--arch`` starts a stack, ``--base-url`` uses one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.names import new_account
from tests.blackbox.stack import (
    DRAIN_KINDS,
    FAULT_KINDS,
    FAULT_KINDS_ON_DOCKER,
    FREEZE_KINDS,
    AttachedStack,
    Stack,
)

OpenWallet = Callable[..., str]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that select the system under test."""
    group = parser.getgroup("wallet black box")
    group.addoption("--arch", choices=sorted(FAULT_KINDS), default="saga", help="the architecture under test")
    group.addoption(
        "--base-url", help="a running stack of that architecture; tests that need faults are skipped"
    )
    group.addoption(
        "--on", choices=("native", "docker"), default="native", help="where the stack of this run is started"
    )
    group.addoption(
        "--service-path",
        help="a folder that the services import from first, such as a mutated copy of saga/src",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line("markers", "slow: takes more than about two seconds, or needs its own stack")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize fault tests with the kinds of process that the chosen architecture has."""
    architecture, on = metafunc.config.getoption("--arch"), metafunc.config.getoption("--on")
    for fixture, kinds in (
        ("victim_kind", FAULT_KINDS_ON_DOCKER if on == "docker" else FAULT_KINDS),
        ("drained_kind", DRAIN_KINDS),
        ("frozen_kind", FREEZE_KINDS),
    ):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, kinds[architecture])


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The system under test: the running stack at ``--base-url``, or one that the lab starts and stops."""
    architecture, base_url = request.config.getoption("--arch"), request.config.getoption("--base-url")
    if base_url:
        yield AttachedStack(architecture, base_url)
        return
    from tests.blackbox.lab_stack import docker_stack, lab_stack  # noqa: PLC0415 -- --base-url works without the lab

    with (
        docker_stack(architecture)
        if request.config.getoption("--on") == "docker"
        else lab_stack(architecture, service_path=request.config.getoption("--service-path"))
    ) as started:
        yield started


@pytest.fixture
def faults(stack: Stack) -> Iterator[Stack]:
    """The stack, for tests that inject faults. It is ready again before the next test starts."""
    if not stack.components:
        pytest.skip("needs faults, which this run injects only into a stack that it started (not --base-url)")
    yield stack
    stack.wait_ready()


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[WalletApi]:
    """A client of the public port whose reads see its own writes."""
    client = WalletApi(stack.base_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def open_wallet(api: WalletApi) -> OpenWallet:
    """Opens a new wallet and returns its name: ``open_wallet("10.5", "EUR", slots=FAR)``."""

    def opened(balance: str | int = 0, currency: str = "USD", slots: range = range(1024), **then: str) -> str:
        account = new_account(slots)
        answer = api.open_wallet(account, currency, Decimal(balance))
        assert answer.status == 201, answer
        if "status" in then:
            change = (
                api.close_wallet(account)
                if then["status"] == "closed"
                else api.set_status(account, then["status"])
            )
            assert change.status == 200, change
        return account

    return opened
