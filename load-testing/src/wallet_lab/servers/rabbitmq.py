"""RabbitMQ as a node of the lab's own: the system's program, with data, ports, cookie and user that are only ours.

The distribution's service is not used, not started and not touched.
"""

import base64
import hashlib
import json
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wallet_lab.accounts import private_directory, private_file, unprivileged_account
from wallet_lab.credentials import Credentials
from wallet_lab.servers.packages import Runner, ensure
from wallet_lab.stack import AmqpProbe, Component

USER = "wallet"
# The distribution's wrapper in PATH insists on its own system user; the script below it does not.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PACKAGE = "rabbitmq-server"
UNITS = ("rabbitmq-server.service", "epmd.service", "epmd.socket")

# The port mapper is a child of the node and ends with it, however that ends.
_START = """\
setpriv --pdeathsig KILL epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" &
exec "$0"
"""

# The node's current directory, its data: the scripts and Erlang do not take every path that a checkout may have.
_HERE = "/proc/self/cwd"

# Durable as it comes: quorum queues write to disk before they confirm. The limits fit a laptop: the write-ahead
# log is kept in memory until it rolls over, so its size is also the node's appetite.
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


# Loaded at every start, not only the first: so the node also takes a new password.
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


# Counted when Prometheus asks; the management plugin's own collection, which nobody looks at here, stays off.
_METRICS_SETTINGS = """\
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {port}
prometheus.return_per_object_metrics = true
management_agent.disable_metrics_collector = true
"""

# No busy waiting: the other processes of this machine need the cores.
_ERLANG = (
    "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +sbwt none +sbwtdcpu none +sbwtdio none"
)


@dataclass(frozen=True, slots=True)
class Broker:
    """One node: where its data are, and its three ports (AMQP, Erlang's distribution, Erlang's port mapper)."""

    data_dir: Path
    port: int
    distribution_port: int
    mapper_port: int
    credentials: Credentials = field(repr=False)
    metrics_port: int | None = None
    """Where it tells Prometheus about itself, if it does: that costs a busy broker some CPU."""

    @property
    def url(self) -> str:
        """For services; it holds the password."""
        return client_url(self.port, self.credentials)


def client_url(port: int, credentials: Credentials) -> str:
    """The URL services connect with; it holds the password."""
    return f"amqp://{USER}:{credentials.broker}@127.0.0.1:{port}/"


def server(broker: Broker) -> Component:
    """The node, as a component."""
    data = broker.data_dir
    return Component(
        name="rabbitmq",
        kind="rabbitmq",
        argv=("/bin/sh", "-c", _START, str(PROGRAM)),
        env={
            "HOME": _HERE,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(broker.mapper_port),
            "RUNNING_UNDER_SYSTEMD": "1",  # the script then becomes the node instead of staying as its parent
            "RABBITMQ_NODENAME": "wallet@localhost",
            "RABBITMQ_DIST_PORT": str(broker.distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{_HERE}/mnesia",
            "RABBITMQ_LOG_BASE": f"{_HERE}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": f"{_HERE}/rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{_HERE}/rabbitmq.conf",
            # Not /etc/rabbitmq/conf.d, which is for the system's broker.
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
        LabError: it is missing and cannot be installed.
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
