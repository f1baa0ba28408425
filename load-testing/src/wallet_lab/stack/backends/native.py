"""A stack of native processes: a private one, or the user's."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from wallet_lab import architectures
from wallet_lab.environment_variables import of_service
from wallet_lab.errors import LabError
from wallet_lab.stack.addresses import Addresses, Role
from wallet_lab.stack.components import Entry
from wallet_lab.stack.files import credentials
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.files.home import StackHome, state_of, take_file_lock
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.stack.health.status import is_healthy, read_status
from wallet_lab.stack.layout import decide_shards
from wallet_lab.stack.request import Request
from wallet_lab.stack.running import WAIT_S, ComponentStatus, RunningStack, until
from wallet_lab.stack.supervision import control
from wallet_lab.stack.supervision.logs import tail


class NativeStack(RunningStack):
    """A stack whose components are processes of a supervisor."""

    def __init__(self, home: StackHome, request: Request) -> None:
        """Use `running_stack`, which also takes it down, or `attached`."""
        self.architecture = home.architecture
        self.shards = request.shards
        self._home = home
        self._request = request
        self._owner: control.Owner | None = None

    def start(self) -> None:
        """Start the stack, with its earlier data if there are any."""
        self._owner = control.Owner(self._home, self._request)
        self._owner.wait_ready(lambda _: None)

    def stop(self) -> None:
        """Stop the stack gracefully if this object started it; its data stay."""
        if self._owner is not None:
            self._owner.abandon()
            self._owner = None

    def discard(self) -> None:
        """End all processes at once, if nothing needs the data any more. A graceful stop takes seconds."""
        if self._owner is not None:
            self._owner.kill()
            self._owner = None

    @property
    def home(self) -> Path:
        """The lab home of the stack."""
        return self._home.home

    @property
    def base_url(self) -> str:
        """The URL for clients: the gateway's if there is a gateway."""
        return str(self._home.read("state")["base_url"])

    @property
    def direct(self) -> Entry:
        """The entry of the services themselves, without a gateway."""
        urls = self._home.read("state")["direct"]
        return Entry(tuple(urls["write_urls"]), tuple(urls["read_urls"]))

    @property
    def components(self) -> list[ComponentStatus]:
        """All components, each probed now."""
        return [ComponentStatus(**component) for component in read_status(self._home)["components"]]

    @property
    def credentials(self) -> Credentials:
        """The stack's passwords."""
        return credentials.load(self._home.secrets)

    def client_url(self, component: str, role: Role = "wallet_owner") -> str:
        """Return the URL of a component with its password, for databases with that of the role."""
        return Addresses(self._home).client_url(component, role)

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the architecture's own commands, such as `verify`; returns the finished command."""
        own = self.adapter.command(command).native(Addresses(self._home))
        env = {**of_service(os.environ), **own.env}
        return subprocess.run(own.argv, env=env, capture_output=True, text=True, check=False)

    def pid(self, name: str) -> int | None:
        """Return the pid of a component; None while it is down."""
        pid: int | None = next(part["pid"] for part in self._recorded if part["name"] == name)
        return pid

    @property
    def pids(self) -> dict[str, int]:
        """The pid of every running component."""
        return {part["name"]: part["pid"] for part in self._recorded if part["pid"] is not None}

    @property
    def urls(self) -> dict[str, str]:
        """The URL of every component's own port; databases, cache and broker use other schemes than HTTP."""
        return {part["name"]: part["url"] for part in self._recorded}

    @property
    def _recorded(self) -> list[dict[str, Any]]:
        components: list[dict[str, Any]] = self._home.read("state")["components"]
        return components

    def log(self, name: str, lines: int = 200) -> str:
        """Return the last log lines of a component (or of `supervisor`, `migrations-0`, …)."""
        return tail(self._home.log(name), lines)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a component; returns the pid that received it. The supervisor restarts it if it ends."""
        pid = self.pid(name)
        if pid is None:
            raise LabError(f"{name} is already down")
        os.kill(pid, number)
        return pid

    def wait_ready(self, timeout_s: float = WAIT_S) -> None:
        """Wait until every component answers."""
        # A look at every component takes about 10 ms of CPU time, which the starting components need.
        until(lambda: is_healthy(read_status(self._home)) or None, timeout_s, "the stack", every_s=0.1)

    @contextlib.contextmanager
    def outage(self, name: str, number: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Inside, a component is killed and stays down. Afterwards it runs again and the whole stack is ready."""
        hold = take_file_lock(self._home.hold(name))
        if hold is None:
            raise LabError(f"another process already keeps {name} down")
        with hold:
            pid = self.kill(name, number)
            until(lambda: True if self.pid(name) != pid else None, WAIT_S, name)
            yield
        self.wait_ready()

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Inside, a component is stopped but keeps its connections open: a slow failure.

        Its children continue, so in Postgres only new connections wait. `./lab chaos` pauses the children too.
        """
        pid = self.kill(name, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def cut_off(self, name: str) -> AbstractContextManager[None]:
        """Raise LabError, because only containers have a network of their own."""
        raise LabError(f"{name} is a process and shares its network with all others. Use --on docker.")


def attached(home: StackHome) -> NativeStack | None:
    """Return the user's stack in this home; None if there is none, or it is not ready yet."""
    if state_of(home).get("phase") != "ready":
        return None
    return NativeStack(home, Request(shards=decide_shards(home, None)))


@contextlib.contextmanager
def running_stack(
    architecture: str,
    *,
    home: Path | None = None,
    below: Path | None = None,
    shards: int = 2,
    monitoring: bool = False,
    gateway: bool = False,
    extra_env: Mapping[str, Mapping[str, str]] | None = None,
    **replicas: int,
) -> Iterator[NativeStack]:
    """Run a stack on free ports; stopped and (unless `home` is given) wiped at the end.

    Args:
        architecture: its name in the registry.
        home: the lab home to use instead of a temporary one; its data are kept.
        below: the folder for the temporary home. The default, the system's temporary folder, may be in memory and is
        unsuitable for measurements.
        shards: number of databases that hold the wallets.
        gateway: whether there is a gateway, also in front of an architecture that needs none.
        monitoring: whether Prometheus scrapes this stack and other stacks of the same home.
        extra_env: variables for services by kind ("worker", "orchestrator", "migrations"), by component name,
        or "*" for all, such as `{"*": {"PYTHONPATH": "/a/changed/copy/src"}}`.
        replicas: number of each replicated service of the architecture, such as `orchestrators=2`.

    Raises:
        LabError: it did not come up; the text ends with the last log lines of the failed component.
    """
    with temporary_home(home, below) as root:
        request = Request(
            shards=architectures.find(architecture).shards or shards,
            replicas=replicas,
            monitoring=monitoring,
            gateway=gateway,
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
