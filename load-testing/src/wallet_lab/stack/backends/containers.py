"""One compose project, run with the docker program."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wallet_lab.errors import LabError
from wallet_lab.stack.files.home import checkout

UP_TIMEOUT_S = 600.0
"""Includes the build of the image."""
TIMEOUT_S = 90.0
"""Longer than any container's grace period."""
NETWORK = "internal"


@dataclass(frozen=True, slots=True)
class Container:
    """One container and its state now."""

    id: str
    service: str
    number: int
    """The number of the replica, from 1."""
    pid: int | None
    """The pid of its first process on this machine; None while it is down."""
    healthy: bool
    address: str | None
    """Its address in the internal network; None while it has none."""
    published: int | None
    """Its published port on 127.0.0.1."""


def docker(*arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S) -> str:
    """Run the docker program; returns its output.

    Raises:
        LabError: docker is not installed, or it failed; the text ends with its output.
    """
    program = shutil.which("docker")
    if program is None:
        raise LabError("docker is not installed on this machine")
    try:
        done = subprocess.run(
            (program, *arguments),
            cwd=checkout(),
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"docker {' '.join(arguments)}: not finished after {timeout_s:.0f} s") from None
    if done.returncode != 0:
        # A program prints its results to stdout; compose prints its progress to stderr. The error needs both.
        said = f"{done.stderr.strip()[-2000:]}\n{done.stdout.strip()[-2000:]}".strip()
        raise LabError(f"docker {' '.join(arguments)}: {said}")
    return done.stdout


def why_no_docker() -> str | None:
    """Return why Docker cannot be used here; None if it can."""
    try:
        docker("info", timeout_s=20)
        docker("compose", "version", timeout_s=20)
    except LabError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class Project:
    """An own project from one of the repository's compose files."""

    architecture: str
    name: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def up(self, scale: Mapping[str, int]) -> None:
        """Build, start, and return when every container is healthy."""
        scales = [f"--scale={service}={number}" for service, number in scale.items()]
        # Compose writes the project name into the image. Built under this project's name, every project would have
        # another image.
        Project(self.architecture, f"wallet-{self.architecture}").compose("build", timeout_s=UP_TIMEOUT_S)
        self.compose("up", "--detach", "--wait", *scales, timeout_s=UP_TIMEOUT_S)

    def down(self) -> None:
        """Remove the containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans")

    def compose(self, *arguments: str, timeout_s: float = TIMEOUT_S) -> str:
        """Run `docker compose` for this project; returns its output."""
        file = f"docker-compose.{self.architecture}.yml"
        return docker(
            "compose",
            "--file",
            file,
            "--project-name",
            self.name,
            *arguments,
            env=self.env,
            timeout_s=timeout_s,
        )

    def containers(self) -> list[Container]:
        """Return every container, stopped and one-shot containers included."""
        label = f"label=com.docker.compose.project={self.name}"
        ids = docker("ps", "--all", "--quiet", "--filter", label).split()
        network = f"{self.name}_{NETWORK}"
        return [_container(found, network) for found in json.loads(docker("inspect", *ids))] if ids else []


def _container(found: dict[str, Any], network: str) -> Container:
    labels, state, net = found["Config"]["Labels"], found["State"], found["NetworkSettings"]
    bindings = [binding for bindings in net["Ports"].values() for binding in bindings or ()]
    return Container(
        id=found["Id"],
        service=labels["com.docker.compose.service"],
        number=int(labels["com.docker.compose.container-number"]),
        pid=state["Pid"] or None,
        healthy=state.get("Health", {}).get("Status") == "healthy",
        address=net["Networks"].get(network, {}).get("IPAddress") or None,
        published=int(bindings[0]["HostPort"]) if bindings else None,
    )
