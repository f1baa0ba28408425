"""Both stacks on Docker at once, with a second replica where there may be one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from wallet_lab.running.containers import Project, why_no_docker
from wallet_lab.running.docker import DockerStack, running_on_docker

ARCHITECTURES = ("saga", "cqrs")
REPLICATED = {"saga": "orchestrator", "cqrs": "command"}


@pytest.fixture(scope="session", autouse=True)
def docker_there(pytestconfig: pytest.Config) -> None:
    """These tests start, load and break containers for minutes, so they want to be asked for."""
    if pytestconfig.getoption("--on") != "docker":
        pytest.skip("needs --on docker (./lab test --docker)")
    if reason := why_no_docker():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def stacks() -> Iterator[Mapping[str, DockerStack]]:
    """Both architectures, up at the same time."""
    with ExitStack() as all_of_them, ThreadPoolExecutor() as at_once:
        coming = {
            architecture: at_once.submit(
                all_of_them.enter_context, running_on_docker(architecture, scale={service: 2})
            )
            for architecture, service in REPLICATED.items()
        }
        yield {architecture: stack.result() for architecture, stack in coming.items()}


@pytest.fixture(scope="session", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def running(stacks: Mapping[str, DockerStack], architecture: str) -> DockerStack:
    """One of the two stacks."""
    return stacks[architecture]


@pytest.fixture(scope="session")
def services(architecture: str) -> dict[str, dict[str, Any]]:
    """What the compose file of one architecture says."""
    return services_of(architecture)


def services_of(architecture: str) -> dict[str, dict[str, Any]]:
    """What a compose file says, with everything it refers to put in."""
    said = Project(architecture, "test").compose("--profile", "*", "config", "--format", "json")
    found: dict[str, dict[str, Any]] = json.loads(said)["services"]
    return found
