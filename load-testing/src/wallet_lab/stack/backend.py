"""The two ways to run a stack: as native processes or as containers."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Annotated, Any

import typer

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Architecture
from wallet_lab.errors import LabError
from wallet_lab.stack.backends import docker, native
from wallet_lab.stack.files.home import StackHome, default_home
from wallet_lab.stack.layout import DEFAULT_SHARDS
from wallet_lab.stack.running import RunningStack


class Backend(StrEnum):
    """The two ways to run a stack."""

    NATIVE = "native"
    DOCKER = "docker"


BackendOption = Annotated[
    Backend, typer.Option("--on", help="Run the stack as native processes or from its compose file.")
]


def attached(architecture: str, backend: Backend) -> RunningStack | None:
    """Return the user's stack; None if there is none, or it is not ready yet."""
    if backend is Backend.DOCKER:
        return docker.attached(architecture)
    return native.attached(StackHome(default_home(), architecture))


@contextlib.contextmanager
def stack_in_use(architecture: str, backend: Backend, *, gateway: bool = False) -> Iterator[RunningStack]:
    """Yield the user's stack, which stays up, or a new one that is wiped at the end.

    `gateway`: whether a new native stack has one that the architecture does not need.
    """
    if (up := attached(architecture, backend)) is not None:
        yield up
        return
    with fresh_stack(architecture, backend, gateway=gateway) as own:
        yield own


def fresh_stack(
    architecture: str,
    backend: Backend,
    *,
    shards: int | None = None,
    replicas: int | None = None,
    gateway: bool = False,
) -> AbstractContextManager[RunningStack]:
    """Return a new stack that is wiped at the end. An architecture without a compose file is always native.

    Args:
        architecture: its name in the registry.
        backend: how to run it.
        shards: the number of databases that hold the wallets; the default is that of the backend.
        replicas: the number of each service that can have several.
        gateway: whether a native stack has one that the architecture does not need. On Docker each stack has one.

    Raises:
        LabError: the stack did not come up, or the compose file has another number of shards.
    """
    known = architectures.find(architecture)
    if backend is Backend.DOCKER and known.compose_file:
        return _on_docker(known, shards, replicas)
    numbers: dict[str, Any] = {each.name: replicas for each in known.replicas} if replicas else {}
    return native.running_stack(
        architecture, below=default_home(), shards=shards or DEFAULT_SHARDS, gateway=gateway, **numbers
    )


def _on_docker(
    known: Architecture, shards: int | None, replicas: int | None
) -> AbstractContextManager[RunningStack]:
    if shards not in {None, known.shards or DEFAULT_SHARDS}:
        raise LabError(f"The compose file of {known.name} decides the number of shards; leave --shards out.")
    scale = {each.kind: replicas for each in known.replicas} if replicas else {}
    return docker.running_on_docker(known.name, scale=scale)
