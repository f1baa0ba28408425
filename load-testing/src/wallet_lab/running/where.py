"""The two ways to run a stack: as native processes or as containers."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Annotated

import typer

from wallet_lab.home import ARCHITECTURES, StackHome, default_home
from wallet_lab.running import docker, native
from wallet_lab.running.stack import RunningStack


class Where(StrEnum):
    """The two ways to run a stack."""

    NATIVE = "native"
    DOCKER = "docker"


On = Annotated[
    Where, typer.Option("--on", help="Run the stack as native processes or from its compose file.")
]


def attached(architecture: str, where: Where) -> RunningStack | None:
    """Return the user's stack; None if there is none, or it is not ready yet."""
    if where is Where.DOCKER:
        return docker.attached(architecture)
    return native.attached(StackHome(default_home(), architecture))


@contextlib.contextmanager
def stack_in_use(architecture: str, where: Where) -> Iterator[RunningStack]:
    """Yield the user's stack, which stays up, or a new one that is wiped at the end."""
    if (up := attached(architecture, where)) is not None:
        yield up
        return
    with fresh_stack(architecture, where) as own:
        yield own


def fresh_stack(architecture: str, where: Where) -> AbstractContextManager[RunningStack]:
    """Return a new stack that is wiped at the end. noop is always native, because it has no compose file."""
    if where is Where.DOCKER and architecture in ARCHITECTURES:
        return docker.running_on_docker(architecture)
    return native.running_stack(architecture, below=default_home())
