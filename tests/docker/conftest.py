"""Starts both stacks on Docker at the same time, with two replicas of one service each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from wallet_lab.stack.backends.containers import Project, why_no_docker
from wallet_lab.stack.backends.docker import DockerStack, running_on_docker

ARCHITECTURES = ("saga", "cqrs")
COMPOSE_FILES = (*ARCHITECTURES, "acid")
REPLICATED = {"saga": "orchestrator", "cqrs": "command"}


@pytest.fixture(scope="session", autouse=True)
def docker_there(pytestconfig: pytest.Config) -> None:
    """Skip these tests without ``--on docker``, because they load and break containers for minutes."""
    if pytestconfig.getoption("--on") != "docker":
        pytest.skip("needs --on docker (./lab test --docker)")
    if reason := why_no_docker():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def stacks() -> Iterator[Mapping[str, DockerStack]]:
    """Both architectures, running at the same time."""
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
    """Each of the two architectures."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def running(stacks: Mapping[str, DockerStack], architecture: str) -> DockerStack:
    """The running stack of one architecture."""
    return stacks[architecture]


@pytest.fixture(scope="session", params=COMPOSE_FILES)
def services(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """The resolved services of each compose file."""
    return services_of(request.param)


def services_of(architecture: str) -> dict[str, dict[str, Any]]:
    """The services of a compose file, with all references resolved."""
    config = Project(architecture, "test").compose("--profile", "*", "config", "--format", "json")
    found: dict[str, dict[str, Any]] = json.loads(config)["services"]
    return found
