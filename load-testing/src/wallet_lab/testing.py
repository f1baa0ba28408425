"""Real servers for tests: a whole stack, or one database or cache alone, on free ports, gone when the test is.

Nothing here touches the stack a user may have up: every home is private, and what runs ends with the test process,
also when that is killed.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from wallet_lab import control, credentials, postgres, redis
from wallet_lab.credentials import Credentials
from wallet_lab.errors import LabError
from wallet_lab.home import StackHome
from wallet_lab.logs import open_log, tail
from wallet_lab.ports import PortChooser
from wallet_lab.postgres import Cluster
from wallet_lab.process import clear_leftovers, end, run, spawn
from wallet_lab.readiness import until_ready
from wallet_lab.saga_stack import Request
from wallet_lab.stack import Command, Component
from wallet_lab.status import is_healthy, read_status

WAIT_S = 30.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One component as `./lab status --json` shows it."""

    name: str
    kind: str
    pid: int | None
    port: int
    url: str
    healthy: bool
    shard: int | None = None


class RunningStack:
    """A stack that a test has to itself."""

    def __init__(self, home: StackHome, request: Request) -> None:
        """Use `running_stack`, which also takes it down."""
        self._home = home
        self._request = request
        self._owner: control.Owner | None = None

    def start(self) -> None:
        """Bring the stack up (again: with the data it had)."""
        self._owner = control.Owner(self._home, self._request)
        self._owner.wait_ready(lambda _: None)

    def stop(self) -> None:
        """Take the stack down gracefully; its data stay."""
        if self._owner is not None:
            self._owner.abandon()
            self._owner = None

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
        return credentials.load_or_create(self._home.secrets)

    @property
    def database_urls(self) -> list[str]:
        """One URL per shard, as the owner of the database: for audits."""
        return [self._database_url(shard, "wallet_owner") for shard in range(self._request.shards)]

    @property
    def service_database_urls(self) -> list[str]:
        """One URL per shard, with the rights of the services."""
        return [self._database_url(shard, "wallet_service") for shard in range(self._request.shards)]

    def _database_url(self, shard: int, role: str) -> str:
        words = {"wallet_owner": self.credentials.database_owner, "wallet_service": self.credentials.database_service}
        return f"postgresql://{role}:{words[role]}@127.0.0.1:{self._port(f'postgres-{shard}')}/{postgres.DATABASE}"

    @property
    def redis_url(self) -> str:
        """The cache's URL, with its password."""
        return redis.client_url(self._port("redis"), self.credentials.redis)

    def _port(self, name: str) -> int:
        return int(self._recorded(name)["port"])

    def pid(self, name: str) -> int | None:
        """The process of a component; None while it is down."""
        pid: int | None = self._recorded(name)["pid"]
        return pid

    def _recorded(self, name: str) -> dict[str, Any]:
        components: list[dict[str, Any]] = self._home.read("state")["components"]
        return next(component for component in components if component["name"] == name)

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

    def wait_restarted(self, name: str, old_pid: int, timeout_s: float = WAIT_S) -> int:
        """Wait until another process has taken a component's place; returns its pid (it may not be ready yet)."""
        return _until(lambda: pid if (pid := self.pid(name)) not in {None, old_pid} else None, timeout_s, name)

    def wait_ready(self, timeout_s: float = WAIT_S) -> None:
        """Wait until every component answers."""
        _until(lambda: is_healthy(read_status(self._home)) or None, timeout_s, "the stack")

    @contextlib.contextmanager
    def outage(self, name: str, number: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Inside, a component is dead and stays dead; afterwards it is back and the whole stack is ready."""
        hold = self._home.hold(name)
        hold.touch()
        try:
            pid = self.kill(name, number)
            _until(lambda: True if self.pid(name) != pid else None, WAIT_S, name)
            yield
        finally:
            hold.unlink()
        self.wait_ready()

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Inside, a component neither works nor answers, but holds its connections: the slow failure."""
        pid = self.kill(name, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def _until(get: Callable[[], _T | None], timeout_s: float, what: str) -> _T:
    deadline_s = time.monotonic() + timeout_s
    while (value := get()) is None:
        if time.monotonic() > deadline_s:
            raise LabError(f"{what} was not there after {timeout_s:.0f} s")
        time.sleep(0.02)
    return value


@contextlib.contextmanager
def running_stack(
    architecture: str = "saga",
    *,
    home: Path | None = None,
    shards: int = 2,
    orchestrators: int = 1,
    extra_env: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[RunningStack]:
    """A stack on free ports, ready to be called; stopped and (unless `home` is given) wiped at the end.

    Args:
        architecture: which of the two.
        home: the lab home to use instead of a temporary one; its data are left there.
        shards: how many databases and workers.
        orchestrators: how many share the public port.
        extra_env: variables for services by kind ("worker", "orchestrator", "migrations"), by component name, or "*"
            for all, such as `{"*": {"PYTHONPATH": "/a/changed/copy/saga/src"}}`.

    Raises:
        LabError: it did not come up; the text ends with the last log lines of what failed.
    """
    with _private_home(home) as root:
        request = Request(
            shards=shards,
            orchestrators=orchestrators,
            usual_ports=False,
            extra_env={key: dict(value) for key, value in (extra_env or {}).items()},
        )
        stack_home = StackHome(root, architecture)
        stack = RunningStack(stack_home, request)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
            if home is None:
                stack_home.wipe()


@contextlib.contextmanager
def _private_home(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="wallet-lab-")).resolve()
    made.chmod(0o711)  # the databases' account must be able to pass through
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


class RunningServer:
    """One database or cache server that a test started by itself."""

    def __init__(self, component: Component, log: Path) -> None:
        """Use `running_postgres` or `running_redis`, which also stop it."""
        self._component = component
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._component.port

    def start(self) -> None:
        """Start it (again) and return when it is ready."""
        if self._component.data_dir is not None:
            asyncio.run(clear_leftovers(self._component.data_dir))
        with open_log(self._log) as log:
            self._process = spawn(self._component, log)
        try:
            asyncio.run(asyncio.wait_for(until_ready(self._component.probe, 0.01), WAIT_S))
        except TimeoutError:
            raise LabError(f"{self._component.name} did not start:\n{tail(self._log)}") from None

    def kill(self) -> None:
        """Crash it; `start` brings it back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Stop it gracefully."""
        if self._process is not None:
            asyncio.run(end(self._process, self._component.stop_signal, WAIT_S))


class PostgresServer(RunningServer):
    """A cluster with the database, roles and passwords every shard has."""

    def __init__(self, cluster: Cluster, log: Path) -> None:
        """Use `running_postgres`."""
        super().__init__(postgres.server(cluster), log)
        self._cluster = cluster
        self._databases = 0

    @property
    def owner_url(self) -> str:
        """The database `wallet`, as its owner."""
        return self._cluster.owner_url

    @property
    def service_url(self) -> str:
        """The database `wallet`, as the services see it."""
        return self._cluster.service_url

    def migrate(self, module: str = "wallet_saga.migrations", *arguments: str) -> None:
        """Run the migrations on the database `wallet`, as `up` does.

        Raises:
            LabError: they failed; the text ends with what they printed.
        """
        env = {"WALLET_DATABASE_URL": self.owner_url}
        command = Command(name="migrations", argv=(sys.executable, "-P", "-m", module, *arguments), env=env)
        _run_logged(command, self._log.with_name("migrations.log"))

    def copy_database(self) -> "DatabaseUrls":
        """A fresh copy of the database `wallet` with all that is in it, in some 50 ms; nobody may be connected to it."""
        self._databases += 1
        name = f"{postgres.DATABASE}_{self._databases}"
        self._as_admin(
            f"CREATE DATABASE {name} TEMPLATE {postgres.DATABASE} OWNER wallet_owner",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {name} TO wallet_service",
        )
        return DatabaseUrls(owner=_renamed(self.owner_url, name), service=_renamed(self.service_url, name))

    def _as_admin(self, *statements: str) -> None:
        arguments = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--host=127.0.0.1", f"--port={self.port}")
        commands = tuple(f"--command={statement}" for statement in statements)
        argv = (str(postgres.program("psql")), *arguments, "--username=postgres", "--dbname=postgres", *commands)
        env = {"PGPASSWORD": self._cluster.admin_password or ""}
        _run_logged(Command(name="psql", argv=argv, env=env), self._log.with_name("psql.log"))


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database, seen by its owner and by the services."""

    owner: str
    service: str


def _renamed(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"


def _run_logged(command: Command, log: Path) -> None:
    with open_log(log) as output:
        try:
            asyncio.run(run(command, output))
        except LabError as error:
            raise LabError(f"{error}:\n{tail(log)}") from None


@contextlib.contextmanager
def running_postgres(*, home: Path | None = None) -> Iterator[PostgresServer]:
    """One Postgres cluster, durable as in a stack, on a free port; make it once per test session."""
    with _private_home(home) as root:
        stack_home = StackHome(root, "postgres")
        stack_home.prepare()
        secrets = credentials.load_or_create(stack_home.secrets)
        port = PortChooser(usual=False).choose(0)
        cluster = Cluster("postgres", stack_home.data() / "postgres", port, secrets, admin_password=secrets.service_secret)
        server = PostgresServer(cluster, stack_home.log("postgres"))
        try:
            asyncio.run(postgres.provision(cluster, _run_quietly(stack_home)))
            server.start()
            yield server
        finally:
            server.stop()
            if home is None:
                stack_home.wipe()


def _run_quietly(home: StackHome) -> postgres.Runner:
    async def run_command(command: Command) -> None:
        with open_log(home.log(command.name)) as output:
            await run(command, output)

    return run_command


class RedisServer(RunningServer):
    """A cache alone."""

    def __init__(self, port: int, password: str, log: Path) -> None:
        """Use `running_redis`."""
        super().__init__(redis.server(port, password), log)
        self.url = redis.client_url(port, password)


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """One Redis on a free port, empty; `kill` and `start` it to see what its loss does."""
    with _private_home(None) as root:
        port = PortChooser(usual=False).choose(0)
        server = RedisServer(port, "test", root / "redis.log")
        try:
            server.start()
            yield server
        finally:
            server.stop()
