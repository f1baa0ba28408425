"""RabbitMQ as the lab's own node: the system's program, with the lab's data, ports, cookie and user.

The system's own RabbitMQ service is not used, started or changed.
"""

import base64
import hashlib
import json
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wallet_lab.stack.components import AmqpProbe, Component
from wallet_lab.stack.files.accounts import private_directory, private_file, unprivileged_account
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.servers.packages import Runner, ensure

USER = "wallet"
# The distribution's wrapper in PATH requires its own system user; the script that it calls does not.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PACKAGE = "rabbitmq-server"
UNITS = ("rabbitmq-server.service", "epmd.service", "epmd.socket")

# The port mapper is a child of the node, so it ends with the node in every case.
_START = """\
setpriv --pdeathsig KILL epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" &
exec "$0"
"""

# The node's current directory is its data directory, because the scripts and Erlang reject some valid paths.
_HERE = "/proc/self/cwd"

# The default is durable: quorum queues write to disk before they confirm. The limits suit a laptop: the write-ahead log
# stays in memory until it rolls over, so its size also determines the node's memory.
_SETTINGS = """\
listeners.tcp.local = 127.0.0.1:{port}
load_definitions = {definitions}
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 200MB
raft.wal_max_size_bytes = 67108864
log.file = false
log.console = true
log.console.level = warning
"""


# Loaded at every start, so that the node also accepts a new password.
def _definitions(user: str, password: str) -> dict[str, Any]:
    salt = secrets.token_bytes(4)
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    algorithm = "rabbit_password_hashing_sha256"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [{"name": user, "password_hash": hashed, "hashing_algorithm": algorithm, "tags": ""}],
        "vhosts": [{"name": "/"}],
        "permissions": [{"user": user, "vhost": "/", **everything}],
    }


# The metrics are computed at each scrape. The management plugin's own collection stays off, because the lab does not
# use it.
_METRICS_SETTINGS = """\
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {port}
prometheus.return_per_object_metrics = true
management_agent.disable_metrics_collector = true
"""

# No busy waiting, because the other processes need the cores.
_ERLANG = (
    "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +sbwt none +sbwtdcpu none +sbwtdio none"
)


@dataclass(frozen=True, slots=True)
class Broker:
    """One node: its data directory and its three ports (AMQP, Erlang's distribution, Erlang's port mapper)."""

    data_dir: Path
    port: int
    distribution_port: int
    mapper_port: int
    credentials: Credentials = field(repr=False)
    metrics_port: int | None = None
    """The port for Prometheus; None turns metrics off, because they cost a busy broker some CPU."""

    @property
    def url(self) -> str:
        """The URL for services; it contains the password."""
        return client_url(self.port, self.credentials)


def client_url(port: int, credentials: Credentials) -> str:
    """Return the URL for services; it contains the password."""
    return f"amqp://{USER}:{credentials.broker}@127.0.0.1:{port}/"


def server(broker: Broker) -> Component:
    """Return the node as a component."""
    data = broker.data_dir
    return Component(
        name="rabbitmq",
        kind="rabbitmq",
        argv=("/bin/sh", "-c", _START, str(PROGRAM)),
        env={
            "HOME": _HERE,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(broker.mapper_port),
            "RUNNING_UNDER_SYSTEMD": "1",  # the script then becomes the node instead of its parent
            "RABBITMQ_NODENAME": "wallet@localhost",
            "RABBITMQ_DIST_PORT": str(broker.distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{_HERE}/mnesia",
            "RABBITMQ_LOG_BASE": f"{_HERE}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": f"{_HERE}/rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{_HERE}/rabbitmq.conf",
            # Not /etc/rabbitmq/conf.d, which belongs to the system's broker.
            "RABBITMQ_CONFIG_FILES": f"{_HERE}/conf.d",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{_HERE}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{_HERE}/enabled_plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        },
        cwd=data,
        unprivileged=True,
        port=broker.port,
        url=f"amqp://127.0.0.1:{broker.port}",
        probe=AmqpProbe(broker.port),
        metrics_port=broker.metrics_port,
        stop_signal=signal.SIGTERM,
        data_dir=data,
    )


async def provision(broker: Broker, run: Runner) -> None:
    """Install the program if it is missing, and write the node's configuration.

    Raises:
        LabError: the program is missing and cannot be installed.
    """
    await ensure(PROGRAM, PACKAGE, UNITS, run)
    account = unprivileged_account()
    private_directory(broker.data_dir.parent, account)
    private_directory(broker.data_dir, account)
    settings = _SETTINGS.format(port=broker.port, definitions="definitions.json")
    plugins = ""
    if broker.metrics_port is not None:
        settings += _METRICS_SETTINGS.format(port=broker.metrics_port)
        plugins = "rabbitmq_prometheus"
    contents = {
        ".erlang.cookie": broker.credentials.erlang_cookie,
        "rabbitmq.conf": settings,
        "definitions.json": json.dumps(_definitions(USER, broker.credentials.broker)),
        "rabbitmq-env.conf": "",
        "advanced.config": "[].\n",
        "enabled_plugins": f"[{plugins}].\n",
    }
    for name, text in contents.items():
        private_file(broker.data_dir / name, text, account)
