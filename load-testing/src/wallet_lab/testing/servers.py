"""A single database, cache or broker, for tests of the code that uses it."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from wallet_lab.blocking import run_blocking
from wallet_lab.errors import LabError
from wallet_lab.stack.components import Command, Component
from wallet_lab.stack.files import credentials
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.files.home import StackHome
from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.stack.health.readiness import why_not_ready
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.servers import postgres, rabbitmq, redis
from wallet_lab.stack.servers.postgres import Cluster
from wallet_lab.stack.servers.postgres_template import Runner
from wallet_lab.stack.supervision.logs import open_log, tail
from wallet_lab.stack.supervision.process import clear_leftovers, end, run, spawn

WAIT_S = 30.0
DATABASE = "wallet"

DELETIONS_AT_ONCE = 8
"""Folders of databases that are deleted at the same time. On a disk mounted with `discard`, the deletion of one file
waits up to 2 ms for the disk, and a session's cluster has about 100,000 files."""


class RunningServer:
    """One server that a test started by itself."""

    def __init__(self, component: Component, log: Path) -> None:
        """Use `running_postgres` or `running_redis`, which also stop it."""
        self._component = component
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1."""
        return self._component.port

    def start(self) -> None:
        """Start it (again) and return when it is ready."""
        if self._component.data_dir is not None:
            run_blocking(clear_leftovers(self._component.data_dir))
        with open_log(self._log) as log:
            self._process = spawn(self._component, log)
        reason = run_blocking(why_not_ready(self._component.probe, self._process, WAIT_S, 0.01))
        if reason is not None:
            raise LabError(f"{self._component.name} {reason}:\n{tail(self._log)}")

    def kill(self) -> None:
        """Kill it with SIGKILL; `start` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Stop it gracefully."""
        if self._process is not None:
            run_blocking(end(self._process, self._component.stop_signal, WAIT_S))

    def discard(self) -> None:
        """Stop it without a last checkpoint, which would first write dozens of databases to disk."""
        if self._process is not None:
            run_blocking(end(self._process, self._component.orphan_signal, WAIT_S))


class PostgresServer(RunningServer):
    """A cluster with the database, roles and passwords of a shard."""

    def __init__(self, cluster: Cluster, log: Path) -> None:
        """Use `running_postgres`."""
        super().__init__(postgres.server(cluster), log)
        self._cluster = cluster
        self._databases = 0

    @property
    def credentials(self) -> Credentials:
        """The passwords of its roles."""
        return self._cluster.credentials

    @property
    def owner_url(self) -> str:
        """The URL of the database `wallet` for its owner."""
        return self._cluster.owner_url

    @property
    def service_url(self) -> str:
        """The URL of the database `wallet` for the services."""
        return self._cluster.service_url

    def migrate(self, module: str, *arguments: str, shard: int = 0, shards: int = 1) -> None:
        """Run a module of migrations on the database `wallet`, as `up` does.

        Raises:
            LabError: they failed; the text ends with their output.
        """
        env = {
            "WALLET_DATABASE_URL": self.owner_url,
            "WALLET_SHARD": str(shard),
            "WALLET_SHARDS": str(shards),
        }
        command = Command(name="migrations", argv=(sys.executable, "-P", "-m", module, *arguments), env=env)
        _run_logged(command, self._log.with_name("migrations.log"))

    def copy_database(self) -> "DatabaseUrls":
        """Copy the database `wallet` with its content (150 ms). It must have no connections."""
        self._databases += 1
        name = f"{DATABASE}_{self._databases}"
        self._as_admin(
            f"CREATE DATABASE {name} TEMPLATE {DATABASE} OWNER wallet_owner",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {name} TO wallet_service",
        )
        return DatabaseUrls(owner=_renamed(self.owner_url, name), service=_renamed(self.service_url, name))

    def set_read_only(self, *, is_read_only: bool, ends_sessions: bool = True) -> None:
        """Refuse writes, as a demoted primary does, or accept them again."""
        self._as_admin(
            f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_read_only else 'off'}",
            "SELECT pg_reload_conf()",
            "SELECT pg_sleep(0.1)",
        )
        if ends_sessions:
            self.end_sessions()

    def end_sessions(self) -> None:
        """End all sessions of clients, as a failover does."""
        self._as_admin(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            "SELECT pg_sleep(0.1)",  # so that the clients have noticed it
        )

    def _as_admin(self, *statements: str) -> None:
        address = self._cluster.url.replace("//", f"//postgres:{self._cluster.admin_password}@")
        run_blocking(_execute(_renamed(address, "postgres"), statements))


async def _execute(url: str, statements: Iterable[str]) -> None:
    """Execute each statement in a transaction of its own, because CREATE DATABASE needs that."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """The URLs of one database, for its owner and for the services."""

    owner: str
    service: str


def _renamed(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def _run_logged(command: Command, log: Path) -> None:
    with open_log(log) as output:
        try:
            run_blocking(run(command, output))
        except LabError as error:
            raise LabError(f"{error}:\n{tail(log)}") from None


@contextlib.contextmanager
def running_postgres(
    *,
    home: Path | None = None,
    copy_of: Path | None = None,
    secrets_of: PostgresServer | None = None,
    prepared_transactions_max: int = 0,
) -> Iterator[PostgresServer]:
    """Run one Postgres cluster, durable as in a stack, on a free port. Share it within a test session.

    With `copy_of` it begins with the data and passwords of a stopped cluster, whose `home` that was. With `secrets_of`
    it has the passwords of another cluster, so that one address can lead to both.
    """
    with temporary_home(home) as root:
        stack_home = StackHome(root, "postgres")
        stack_home.prepare()
        if copy_of is not None:
            _copy_data(StackHome(copy_of, "postgres"), stack_home)
        secrets = secrets_of.credentials if secrets_of else credentials.load_or_create(stack_home.secrets)
        ports = PortChooser(usual=False)
        port = ports.choose(0)
        cluster = Cluster(
            "postgres",
            DATABASE,
            stack_home.data() / "postgres",
            port,
            secrets,
            admin_password=secrets.service_secret,
            prepared_transactions_max=prepared_transactions_max,
        )
        server = PostgresServer(cluster, stack_home.log("postgres"))
        try:
            run_blocking(clear_leftovers(cluster.data_dir))
            run_blocking(postgres.provision(cluster, _run_quietly(stack_home)))
            server.start()
            yield server
        finally:
            if home is None:
                server.discard()
                _delete_databases(cluster)
                stack_home.wipe()
            else:
                server.stop()
            ports.release()


def _delete_databases(cluster: Cluster) -> None:
    with ThreadPoolExecutor(DELETIONS_AT_ONCE) as beside:
        list(beside.map(shutil.rmtree, cluster.data_dir.glob("base/*")))


def _copy_data(source: StackHome, target: StackHome) -> None:
    """Copy files with owners and modes, because Postgres does not start without them."""
    shutil.copy2(source.secrets, target.secrets)
    subprocess.run(("/bin/cp", "-a", source.data(), target.data()), check=True)


def _run_quietly(home: StackHome) -> Runner:
    async def run_command(command: Command) -> None:
        with open_log(home.log(command.name)) as output:
            await run(command, output)

    return run_command


class RedisServer(RunningServer):
    """A single cache."""

    def __init__(self, port: int, password: str, log: Path) -> None:
        """Use `running_redis`."""
        super().__init__(redis.server(port, password), log)
        self.url = redis.client_url(port, password)


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Run one empty Redis on a free port; tests `kill` and `start` it."""
    with temporary_home(None) as root:
        ports = PortChooser(usual=False)
        port = ports.choose(0)
        server = RedisServer(port, "test", root / "redis.log")
        try:
            server.start()
            yield server
        finally:
            server.stop()
            ports.release()


class RabbitServer(RunningServer):
    """A single message broker."""

    def __init__(self, broker: rabbitmq.Broker, log: Path) -> None:
        """Use `running_rabbitmq`."""
        super().__init__(rabbitmq.server(broker), log)
        self.url = broker.url


@contextlib.contextmanager
def running_rabbitmq() -> Iterator[RabbitServer]:
    """Run one empty RabbitMQ node on free ports. Share it within a test session."""
    with temporary_home(None) as root:
        home = StackHome(root, "rabbitmq")
        home.prepare()
        ports = PortChooser(usual=False)
        secrets = credentials.load_or_create(home.secrets)
        broker = rabbitmq.Broker(
            home.data() / "rabbitmq", ports.choose(0), ports.choose(0), ports.choose(0), secrets
        )
        server = RabbitServer(broker, home.log("rabbitmq"))
        try:
            run_blocking(rabbitmq.provision(broker, _run_quietly(home)))
            server.start()
            yield server
        finally:
            server.kill()  # a graceful stop takes seconds, and nothing needs the data
            ports.release()
            home.wipe()
