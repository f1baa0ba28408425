"""The stack of a baseline: databases, then migrations, then the services."""

from dataclasses import dataclass
from pathlib import Path

from wallet_lab.architectures.adapter import Plan
from wallet_lab.stack.addresses import database_of
from wallet_lab.stack.components import Command, Component, HttpProbe, Stack, Stage, python_module
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.servers import postgres
from wallet_lab.stack.servers.postgres import Cluster

SERVICE = "service"
"""The kind of the only service of a baseline."""


def shard(number: int) -> str:
    """Return the component name of a shard's database."""
    return f"postgres-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The differences between the stacks of the baselines. The usual ports of further servers follow the given ones."""

    name: str
    module: str
    public_port: int
    port: int
    postgres_port: int
    shards: int | None
    """The number of databases; None: as many as requested."""
    prepared_transactions_max: int = 0

    def plan(self, request: Request, credentials: Credentials, data: Path, ports: PortChooser) -> Plan:
        """Choose the ports; the databases are in `data`."""
        clusters = tuple(
            Cluster(
                name=shard(number),
                database=database_of(shard(number)),
                data_dir=data / shard(number),
                port=ports.choose(self.postgres_port + number),
                credentials=credentials,
                prepared_transactions_max=self.prepared_transactions_max,
            )
            for number in range(self.shards or request.shards)
        )
        public_port = ports.choose(self.public_port)
        own_ports = [ports.choose(self.port + n) for n in range(request.number_of("services"))]
        env = {
            "WALLET_PUBLIC_HOST": "127.0.0.1",
            "WALLET_PUBLIC_PORT": str(public_port),
            "WALLET_SERVICE_SECRET": credentials.service_secret,
            **self._databases(clusters),
        }
        services = tuple(
            self._service(request, number, port, env, public_port) for number, port in enumerate(own_ports)
        )
        servers = tuple(postgres.server(cluster, number) for number, cluster in enumerate(clusters))
        migrations = tuple(_migration(request, number, clusters) for number in range(len(clusters)))
        stages = (Stage(servers), Stage(services, tasks=migrations))
        return Plan(stack=Stack(self.name, f"http://127.0.0.1:{public_port}", stages), clusters=clusters)

    def _databases(self, clusters: tuple[Cluster, ...]) -> dict[str, str]:
        urls = ",".join(cluster.service_url for cluster in clusters)
        return {"WALLET_DATABASE_URL" if self.shards == 1 else "WALLET_DATABASE_URLS": urls}

    def _service(
        self, request: Request, number: int, port: int, env: dict[str, str], public_port: int
    ) -> Component:
        name = f"{SERVICE}-{number}"
        own = {"WALLET_HOST": "127.0.0.1", "WALLET_PORT": str(port)}
        return Component(
            name=name,
            kind=SERVICE,
            argv=python_module(self.module),
            env={**own, **env, **request.extra_variables(SERVICE, name)},
            port=port,
            url=f"http://127.0.0.1:{port}",
            probe=HttpProbe(port),
            metrics_port=port,
            public_port=public_port,
        )


def _migration(request: Request, number: int, clusters: tuple[Cluster, ...]) -> Command:
    name = f"migrations-{number}"
    env = {
        "WALLET_DATABASE_URL": clusters[number].owner_url,
        "WALLET_SHARD": str(number),
        "WALLET_SHARDS": str(len(clusters)),
    }
    extra = request.extra_variables("migrations", name)
    return Command(name=name, argv=python_module("wallet_baselines.migrations"), env={**env, **extra})
