"""RabbitMQ as a node of the lab's own: the system's program, with data, ports, cookie and user that are only ours.

The distribution's service is not used, not started and not touched.
"""

import signal
from dataclasses import dataclass, field
from pathlib import Path

from wallet_lab.accounts import private_directory, private_file, unprivileged_account
from wallet_lab.credentials import Credentials
from wallet_lab.servers.packages import Runner, ensure
from wallet_lab.stack import AmqpProbe, Component

USER = "wallet"
# The distribution's wrapper in PATH insists on its own system user; the script below it does not.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PACKAGE = "rabbitmq-server"
UNITS = ("rabbitmq-server.service", "epmd.service", "epmd.socket")

# The port mapper is a child of the node and ends with it, however that ends. The current directory tells the keeper
# which processes are the node's.
_START = """\
cd "$HOME"
setpriv --pdeathsig KILL epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" &
exec "$0"
"""

# Durable as it comes: quorum queues write to disk before they confirm. The limits fit a laptop: the write-ahead
# log is kept in memory until it rolls over, so its size is also the node's appetite.
_SETTINGS = """\
listeners.tcp.local = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = false
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 200MB
raft.wal_max_size_bytes = 67108864
log.file = false
log.console = true
log.console.level = warning
"""

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
            "HOME": str(data),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(broker.mapper_port),
            "RUNNING_UNDER_SYSTEMD": "1",  # the script then becomes the node instead of staying as its parent
            "RABBITMQ_NODENAME": "wallet@localhost",
            "RABBITMQ_DIST_PORT": str(broker.distribution_port),
            "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(data / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": str(data / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(data / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
        },
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
    settings = _SETTINGS.format(port=broker.port, user=USER, password=broker.credentials.broker)
    plugins = ""
    if broker.metrics_port is not None:
        settings += _METRICS_SETTINGS.format(port=broker.metrics_port)
        plugins = "rabbitmq_prometheus"
    contents = {
        ".erlang.cookie": broker.credentials.erlang_cookie,
        "rabbitmq.conf": settings,
        "rabbitmq-env.conf": "",
        "advanced.config": "[].\n",
        "enabled_plugins": f"[{plugins}].\n",
    }
    for name, text in contents.items():
        private_file(broker.data_dir / name, text, account)
