"""The two ways to run a stack: as native processes or as containers."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Annotated

import typer

from wallet_lab import architectures
from wallet_lab.stack import docker, native
from wallet_lab.stack.home import StackHome, default_home
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
def stack_in_use(architecture: str, backend: Backend) -> Iterator[RunningStack]:
    """Yield the user's stack, which stays up, or a new one that is wiped at the end."""
    if (up := attached(architecture, backend)) is not None:
        yield up
        return
    with fresh_stack(architecture, backend) as own:
        yield own


def fresh_stack(architecture: str, backend: Backend) -> AbstractContextManager[RunningStack]:
    """Return a new stack that is wiped at the end. An architecture without a compose file is always native."""
    if backend is Backend.DOCKER and architectures.find(architecture).compose_file:
        return docker.running_on_docker(architecture)
    return native.running_stack(architecture, below=default_home())
