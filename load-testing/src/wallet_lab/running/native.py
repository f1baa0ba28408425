"""A stack of native processes: one of its own, or the one a user has up."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from wallet_lab import credentials
from wallet_lab.credentials import Credentials
from wallet_lab.environment import of_service
from wallet_lab.errors import LabError
from wallet_lab.home import StackHome, state_of, take_file_lock
from wallet_lab.logs import tail
from wallet_lab.private_home import private_home
from wallet_lab.running.stack import WAIT_S, ComponentStatus, RunningStack, until
from wallet_lab.stacks import cqrs
from wallet_lab.stacks.addresses import Addresses, Role
from wallet_lab.stacks.layout import decide_shards
from wallet_lab.stacks.request import Request
from wallet_lab.supervision import control
from wallet_lab.supervision.status import is_healthy, read_status


class NativeStack(RunningStack):
    """A stack whose components are processes below a supervisor."""

    def __init__(self, home: StackHome, request: Request) -> None:
        """Use `running_stack`, which also takes it down, or `attached`."""
        self.architecture = home.architecture
        self.shards = request.shards
        self._home = home
        self._request = request
        self._owner: control.Owner | None = None

    def start(self) -> None:
        """Bring the stack up (again: with the data it had)."""
        self._owner = control.Owner(self._home, self._request)
        self._owner.wait_ready(lambda _: None)

    def stop(self) -> None:
        """Take the stack down gracefully if it was started here; its data stay."""
        if self._owner is not None:
            self._owner.abandon()
            self._owner = None

    @property
    def home(self) -> Path:
        """The lab's home that it lives in."""
        return self._home.home

    @property
    def base_url(self) -> str:
        """Where clients call."""
        return str(self._home.read("state")["base_url"])

    @property
    def components(self) -> list[ComponentStatus]:
        """All components as they are now, each really asked."""
        return [ComponentStatus(**component) for component in read_status(self._home)["components"]]

    @property
    def credentials(self) -> Credentials:
        """The stack's passwords."""
        return credentials.load(self._home.secrets)

    def _database_url(self, component: str, role: Role) -> str:
        return Addresses(self._home).database(component, role)

    @property
    def redis_url(self) -> str:
        """The cache's URL, with its password."""
        return Addresses(self._home).redis

    @property
    def broker_url(self) -> str:
        """The URL of cqrs' message broker, with its password."""
        return Addresses(self._home).broker

    def rebuild(self, *, verify: bool = False) -> "subprocess.CompletedProcess[str]":
        """Rebuild the read model of cqrs, or compare it with the events; returns what it said."""
        command = cqrs.rebuild(self._home, *(["--verify"] if verify else []))
        env = {**of_service(os.environ), **command.env}
        return subprocess.run(command.argv, env=env, capture_output=True, text=True, check=False)

    def pid(self, name: str) -> int | None:
        """The process of a component; None while it is down."""
        pid: int | None = next(part["pid"] for part in self._recorded if part["name"] == name)
        return pid

    @property
    def pids(self) -> dict[str, int]:
        """The process of every component that is not down."""
        return {part["name"]: part["pid"] for part in self._recorded if part["pid"] is not None}

    @property
    def urls(self) -> dict[str, str]:
        """The own port's URL of every component; of databases, cache and broker it is no HTTP."""
        return {part["name"]: part["url"] for part in self._recorded}

    @property
    def _recorded(self) -> list[dict[str, Any]]:
        components: list[dict[str, Any]] = self._home.read("state")["components"]
        return components

    def log(self, name: str, lines: int = 200) -> str:
        """The last lines a component (or `supervisor`, `migrations-0`, …) wrote."""
        return tail(self._home.log(name), lines)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a component and return the pid that got it; the supervisor restarts what dies."""
        pid = self.pid(name)
        if pid is None:
            raise LabError(f"{name} is down already")
        os.kill(pid, number)
        return pid

    def wait_ready(self, timeout_s: float = WAIT_S) -> None:
        """Wait until every component answers."""
        until(lambda: is_healthy(read_status(self._home)) or None, timeout_s, "the stack")

    @contextlib.contextmanager
    def outage(self, name: str, number: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Inside, a component is dead and stays dead; afterwards it is back and the whole stack is ready."""
        hold = take_file_lock(self._home.hold(name))
        if hold is None:
            raise LabError(f"another process keeps {name} down already")
        with hold:
            pid = self.kill(name, number)
            until(lambda: True if self.pid(name) != pid else None, WAIT_S, name)
            yield
        self.wait_ready()

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Inside, a component neither works nor answers, but holds its connections: the slow failure.

        Its children go on: of a Postgres only new connections wait. `./lab chaos` pauses them, too.
        """
        pid = self.kill(name, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def cut_off(self, name: str) -> AbstractContextManager[None]:
        """Inside, no packet reaches or leaves a component; only containers have a network to be cut off from."""
        raise LabError(f"{name} is a process and shares its network with all others: add --on docker")


def attached(home: StackHome) -> NativeStack | None:
    """The stack that someone has up in this home; None if there is none, or it is not ready yet."""
    if state_of(home).get("phase") != "ready":
        return None
    return NativeStack(home, Request(shards=decide_shards(home, None)))


@contextlib.contextmanager
def running_stack(
    architecture: str = "saga",
    *,
    home: Path | None = None,
    below: Path | None = None,
    shards: int = 2,
    orchestrators: int = 1,
    commands: int = 1,
    relays: int = 1,
    projections: int = 1,
    queries: int = 1,
    monitoring: bool = False,
    extra_env: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[NativeStack]:
    """A stack on free ports, ready to be called; stopped and (unless `home` is given) wiped at the end.

    Args:
        architecture: which of the two.
        home: the lab home to use instead of a temporary one; its data are left there.
        below: the folder for the temporary home; the default, the system's temporary folder, may lie in memory,
            where nothing should be measured.
        shards: how many databases and workers; in cqrs, how many read shards.
        orchestrators: how many share the public port (saga).
        commands: how many command services (cqrs).
        relays: how many relays, of which one is active (cqrs).
        projections: how many projections, of which one is active for each partition (cqrs).
        queries: how many query services (cqrs).
        monitoring: whether a Prometheus watches it, and any other stack of the same home.
        extra_env: variables for services by kind ("worker", "orchestrator", "migrations"), by component name,
            or "*" for all, such as `{"*": {"PYTHONPATH": "/a/changed/copy/saga/src"}}`.

    Raises:
        LabError: it did not come up; the text ends with the last log lines of what failed.
    """
    with private_home(home, below) as root:
        request = Request(
            shards=shards,
            orchestrators=orchestrators,
            commands=commands,
            relays=relays,
            projections=projections,
            queries=queries,
            monitoring=monitoring,
            usual_ports=False,
            extra_env={key: dict(value) for key, value in (extra_env or {}).items()},
        )
        stack_home = StackHome(root, architecture)
        stack = NativeStack(stack_home, request)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
            if home is None:
                stack_home.wipe()
