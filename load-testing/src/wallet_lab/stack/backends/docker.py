"""A stack on Docker with the interface of a native one: same names, same faults."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from wallet_lab import architectures
from wallet_lab.architectures.adapter import ComposeFile
from wallet_lab.errors import LabError
from wallet_lab.stack.addresses import Role, client_url, database_of
from wallet_lab.stack.backends.containers import NETWORK, Container, Project, docker
from wallet_lab.stack.components import Entry
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.running import WAIT_S, ComponentStatus, RunningStack

OWN_PORT = 8000
SHARDS = 2
"""The number of shards in a compose file, except for architectures that always have another number."""
_PORTS = {"postgres": 5432, "redis": 6379, "rabbitmq": 5672, "gateway": 3000}
_SCHEMES = {"postgres": "postgresql", "redis": "redis", "rabbitmq": "amqp"}
_ENDING = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT}


class DockerStack(RunningStack):
    """A compose project with the component names of the native stack.

    Its databases are not published. Audits connect to the addresses of the containers, so Docker must run them on this
    machine itself, not in a virtual machine.
    """

    def __init__(self, project: Project, scale: Mapping[str, int]) -> None:
        """Use `running_on_docker`, which also takes it down."""
        self.architecture = project.architecture
        self.shards = self.adapter.shards or SHARDS
        self._project = project
        self._scale = scale

    def start(self) -> None:
        """Start the stack, with its earlier data if there are any."""
        self._project.up(self._scale)
        self._require_reach()

    def stop(self) -> None:
        """Stop every container gracefully; the data stay."""
        self._project.compose("stop")

    def _require_reach(self) -> None:
        database = self._part(_compose_file(self.architecture).secrets_holder)
        try:
            socket.create_connection((urlsplit(database.url).hostname, database.port), 5).close()
        except OSError as error:
            raise LabError(
                f"the containers cannot be reached from here ({error}): Docker must run on this machine itself"
            ) from error

    @property
    def base_url(self) -> str:
        """The URL for clients: the gateway's if there is a gateway."""
        port = next(container.published for container in self._project.containers() if container.published)
        return f"http://127.0.0.1:{port}"

    @property
    def direct(self) -> Entry:
        """The entry of the services themselves, at the addresses of their containers."""
        known = _compose_file(self.architecture)
        return Entry(self._public_urls(*known.writes), self._public_urls(*known.reads))

    def _public_urls(self, kind: str, port: int) -> tuple[str, ...]:
        addresses = (urlsplit(part.url).hostname for part in self.components if part.kind == kind)
        return tuple(f"http://{address}:{port}" for address in addresses)

    @property
    def components(self) -> list[ComponentStatus]:
        """All components, with the last health that Docker recorded."""
        found = (component_of(container, self.architecture) for container in self._project.containers())
        return sorted((part for part in found if part), key=lambda part: part.name)

    def _part(self, name: str) -> ComponentStatus:
        for part in self.components:
            if part.name == name:
                return part
        raise LabError(f"{self.architecture} on Docker has no {name}")

    def _container(self, name: str) -> Container:
        for container in self._project.containers():
            if (part := component_of(container, self.architecture)) and part.name == name:
                return container
        raise LabError(f"{self.architecture} on Docker has no {name}")

    @property
    def credentials(self) -> Credentials:
        """The stack's passwords, from a container that has all of them."""
        database = _compose_file(self.architecture).secrets_holder
        lines = docker("exec", self._container(database).id, "grep", "-r", ".", "/run/secrets").splitlines()
        words = dict(line.rpartition("/")[2].split(":") for line in lines)
        return Credentials(**words, erlang_cookie="")

    def client_url(self, component: str, role: Role = "wallet_owner") -> str:
        """Return the URL of a component with its password, for databases with that of the role."""
        part = self._part(component)
        return client_url(part.kind, part.url, self.credentials, role)

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the architecture's own commands, such as `verify`; returns the finished command."""
        arguments = ["run", "--rm", *self.adapter.command(command).compose]
        try:
            said = self._project.compose(*arguments)
        except LabError as error:
            return subprocess.CompletedProcess(arguments, 1, "", str(error))
        return subprocess.CompletedProcess(arguments, 0, said, "")

    def pid(self, name: str) -> int | None:
        """Return the pid of a component's first process on this machine; None while it is down."""
        return self._container(name).pid

    @property
    def pids(self) -> dict[str, int]:
        """The pid of every running component."""
        return {part.name: part.pid for part in self.components if part.pid is not None}

    @property
    def urls(self) -> dict[str, str]:
        """The URL of every component's own port; databases, cache and broker use other schemes than HTTP."""
        return {part.name: part.url for part in self.components}

    def log(self, name: str, lines: int = 200) -> str:
        """Return a component's last log lines."""
        return docker("logs", "--tail", str(lines), self._container(name).id)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a component; returns the pid that received it. An ended component is restarted."""
        container, pid = self._signal(name, number)
        if number in _ENDING:
            # Docker treats `docker kill` as the user's wish and does not restart the container, so this command does.
            again = 'docker wait "$0" && docker start "$0"'
            quiet = subprocess.DEVNULL
            subprocess.Popen(("/bin/sh", "-c", again, container.id), stdout=quiet, stderr=quiet)
        return pid

    def _signal(self, name: str, number: signal.Signals) -> tuple[Container, int]:
        container = self._container(name)
        if container.pid is None:
            raise LabError(f"{name} is already down")
        docker("kill", f"--signal={number.name}", container.id)
        return container, container.pid

    def wait_ready(self, timeout_s: float = WAIT_S) -> None:
        """Wait until Docker reports every component as healthy and the public port is ready."""
        deadline_s = time.monotonic() + timeout_s
        while not (all(part.healthy for part in self.components) and self._answers()):
            if time.monotonic() > deadline_s:
                raise LabError(f"the stack was not ready after {timeout_s:.0f} s")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=5):  # noqa: S310 -- the stack's own gateway
                return True
        except (urllib.error.URLError, OSError):
            return False

    @contextlib.contextmanager
    def outage(self, name: str, number: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Inside, a component is killed and stays down. Afterwards it runs again and the whole stack is ready."""
        container, _ = self._signal(name, number)
        try:
            docker("wait", container.id)
            yield
        finally:
            docker("start", container.id)
        self.wait_ready()

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Inside, a component is stopped but keeps its connections open: a slow failure."""
        container = self._container(name)
        docker("pause", container.id)
        try:
            yield
        finally:
            docker("unpause", container.id)

    @contextlib.contextmanager
    def cut_off(self, name: str) -> Iterator[None]:
        """Inside, a component works but no packet reaches or leaves it. Its peers get no signal."""
        container = self._container(name)
        network = f"{self._project.name}_{NETWORK}"
        docker("network", "disconnect", network, container.id)
        try:
            yield
        finally:
            docker("network", "connect", "--alias", container.service, network, container.id)


def _compose_file(architecture: str) -> ComposeFile:
    known = architectures.find(architecture).compose_file
    if known is None:
        raise LabError(f"{architecture} has no compose file. Leave --on docker out.")
    return known


def component_of(container: Container, architecture: str) -> ComponentStatus | None:
    """Return a container under its native component name; None for one-shots and monitoring."""
    found = _compose_file(architecture).component(container.service, container.number)
    return _status(container, *found) if found else None


def _status(container: Container, name: str, kind: str, shard: int | None) -> ComponentStatus:
    port = _PORTS.get(kind, OWN_PORT)
    path = f"/{database_of(name)}?sslmode=disable" if kind == "postgres" else ""
    return ComponentStatus(
        name=name,
        kind=kind,
        pid=container.pid,
        port=port,
        url=f"{_SCHEMES.get(kind, 'http')}://{container.address}:{port}{path}",
        healthy=container.healthy and container.pid is not None,
        shard=shard,
    )


def attached(architecture: str) -> DockerStack | None:
    """Return the project that a user brought up; None if there is none, or it is not healthy."""
    name = os.environ.get(f"WALLET_{architecture.upper()}_PROJECT") or f"wallet-{architecture}"
    stack = DockerStack(Project(architecture, name), {})
    components = stack.components
    return stack if components and all(part.healthy for part in components) else None


@contextlib.contextmanager
def running_on_docker(
    architecture: str, *, scale: Mapping[str, int] | None = None, env: Mapping[str, str] | None = None
) -> Iterator[DockerStack]:
    """Run a separate stack from the repository's compose file, on its own port; removed with its data.

    Args:
        architecture: one with a compose file.
        scale: replicas by service, such as `{"orchestrator": 2}`.
        env: variables of the compose file, such as `WALLET_API_KEYS`.

    Raises:
        LabError: there is no Docker, or the stack did not come up.
    """
    port = PortChooser(usual=False).choose(0)
    variables = {f"WALLET_{architecture.upper()}_PORT": str(port), **(env or {})}
    project = Project(architecture, f"wallet-{architecture}-{secrets.token_hex(3)}", variables)
    stack = DockerStack(project, scale or {})
    try:
        stack.start()
        yield stack
    finally:
        project.down()
