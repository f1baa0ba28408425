"""The saga's stack: databases and cache, then migrations, then the workers, then the orchestrators."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from wallet_lab.architectures.adapter import Plan
from wallet_lab.stack.addresses import database_of
from wallet_lab.stack.components import Command, Component, HttpProbe, Stack, Stage, python_module
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.servers import postgres, redis
from wallet_lab.stack.servers.postgres import Cluster

PUBLIC_PORT = 3000
ORCHESTRATOR_PORT = 3010
WORKER_PORT = 3100
POSTGRES_PORT = 5440
REDIS_PORT = 6390


@dataclass(frozen=True, slots=True)
class SagaTopology:
    """Every port and path of one saga stack, chosen once per `up`."""

    request: Request
    credentials: Credentials = field(repr=False)
    public_port: int
    redis_port: int
    clusters: tuple[Cluster, ...]
    worker_ports: tuple[int, ...]
    orchestrator_ports: tuple[int, ...]

    def stack(self) -> Stack:
        """Return the components in starting order."""
        shards = range(self.request.shards)
        databases = tuple(postgres.server(cluster, shard) for shard, cluster in enumerate(self.clusters))
        cache = redis.server(self.redis_port, self.credentials.redis)
        workers = tuple(self._worker(shard) for shard in shards)
        migrations = tuple(self._migration(shard) for shard in shards)
        orchestrators = tuple(
            self._orchestrator(number) for number in range(self.request.number_of("orchestrators"))
        )
        return Stack(
            architecture="saga",
            base_url=f"http://127.0.0.1:{self.public_port}",
            stages=(Stage((*databases, cache)), Stage(workers, tasks=migrations), Stage(orchestrators)),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        if not self.request.usual_ports or self.public_port == PUBLIC_PORT:
            return ()
        return (
            f"Port {PUBLIC_PORT} is in use by another server, so the saga listens on {self.public_port}.",
        )

    def _migration(self, shard: int) -> Command:
        name = f"migrations-{shard}"
        database = {"WALLET_DATABASE_URL": self.clusters[shard].owner_url}
        env = {**database, **self._placement(shard), **self.request.extra_variables("migrations", name)}
        return Command(name=name, argv=python_module("wallet_saga.migrations"), env=env)

    def _worker(self, shard: int) -> Component:
        env = {
            **self._placement(shard),
            "WALLET_DATABASE_URL": self.clusters[shard].service_url,
            "WALLET_REDIS_URL": redis.client_url(self.redis_port, self.credentials.redis),
        }
        return self._service("worker", shard, self.worker_ports[shard], env, shard=shard)

    def _placement(self, shard: int) -> dict[str, str]:
        return {"WALLET_SHARD": str(shard), "WALLET_SHARDS": str(self.request.shards)}

    def _orchestrator(self, number: int) -> Component:
        env = {
            "WALLET_PUBLIC_HOST": "127.0.0.1",
            "WALLET_PUBLIC_PORT": str(self.public_port),
            "WALLET_WORKER_URLS": ",".join(f"http://127.0.0.1:{port}" for port in self.worker_ports),
            "WALLET_REDIS_URL": redis.client_url(self.redis_port, self.credentials.redis),
        }
        service = self._service("orchestrator", number, self.orchestrator_ports[number], env)
        return replace(service, public_port=self.public_port)

    def _service(
        self, kind: str, number: int, port: int, env: dict[str, str], *, shard: int | None = None
    ) -> Component:
        own = {
            "WALLET_HOST": "127.0.0.1",
            "WALLET_PORT": str(port),
            "WALLET_SERVICE_SECRET": self.credentials.service_secret,
        }
        name = f"{kind}-{number}"
        return Component(
            name=name,
            kind=kind,
            argv=python_module(f"wallet_saga.{kind}"),
            env={**own, **env, **self.request.extra_variables(kind, name)},
            port=port,
            url=f"http://127.0.0.1:{port}",
            probe=HttpProbe(port),
            metrics_port=port,
            shard=shard,
        )


def shard(number: int) -> str:
    """Return the component name of a shard's database."""
    return f"postgres-{number}"


def plan(request: Request, credentials: Credentials, data: Path, ports: PortChooser) -> Plan:
    """Choose the ports of a stack; its databases are in `data`."""
    clusters = tuple(
        Cluster(name, database_of(name), data / name, ports.choose(POSTGRES_PORT + number), credentials)
        for number in range(request.shards)
        for name in (shard(number),)
    )
    orchestrators = request.number_of("orchestrators")
    topology = SagaTopology(
        request=request,
        credentials=credentials,
        public_port=ports.choose(PUBLIC_PORT),
        redis_port=ports.choose(REDIS_PORT),
        clusters=clusters,
        worker_ports=tuple(ports.choose(WORKER_PORT + n) for n in range(request.shards)),
        orchestrator_ports=tuple(ports.choose(ORCHESTRATOR_PORT + n) for n in range(orchestrators)),
    )
    return Plan(stack=topology.stack(), clusters=topology.clusters)
