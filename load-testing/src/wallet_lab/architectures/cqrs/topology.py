"""The CQRS stack: databases, cache and broker, then migrations, then the services, then the gateway."""

from dataclasses import dataclass, field
from pathlib import Path

from wallet_lab.architectures.adapter import Plan
from wallet_lab.stack.addresses import database_of
from wallet_lab.stack.components import Command, Component, Entry, HttpProbe, Stack, Stage, python_module
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request
from wallet_lab.stack.servers import caddy, postgres, rabbitmq, redis
from wallet_lab.stack.servers.postgres import Cluster
from wallet_lab.stack.servers.rabbitmq import Broker

EVENT_STORE = "postgres-events"
PUBLIC_PORT = 3001
POSTGRES_PORT = 5450
REDIS_PORT = 6391
AMQP_PORT = 5690
ERLANG_PORT = 25690
EPMD_PORT = 4390
BROKER_METRICS_PORT = 15690
OWN_PORTS: dict[str, int] = {"command": 3210, "relay": 3230, "projection": 3250, "query": 3270}
BEHIND_GATEWAY: dict[str, int] = {"command": 3310, "query": 3330}


def read_shard(number: int) -> str:
    """Return the component name of a read shard's database."""
    return f"postgres-read-{number}"


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of a service: its own port, and the port that only the gateway calls (0: none)."""

    kind: str
    number: int
    port: int
    public_port: int

    @property
    def name(self) -> str:
        """The component's name."""
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True, slots=True)
class CqrsTopology:
    """Every port and path of one CQRS stack, chosen once per `up`."""

    request: Request
    credentials: Credentials = field(repr=False)
    public_port: int
    redis_port: int
    events: Cluster
    reads: tuple[Cluster, ...]
    broker: Broker
    replicas: tuple[Replica, ...]

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """The cluster of the event store, then those of the read shards."""
        return (self.events, *self.reads)

    def stack(self) -> Stack:
        """Return the components in starting order."""
        reads = tuple(postgres.server(cluster, shard) for shard, cluster in enumerate(self.reads))
        cache = redis.server(self.redis_port, self.credentials.redis)
        stores = (postgres.server(self.events), *reads, cache, rabbitmq.server(self.broker))
        migrations = (
            self._migration("migrations-events", self.events, "events"),
            *(
                self._migration(f"migrations-read-{shard}", cluster, "read", WALLET_SHARD=str(shard))
                for shard, cluster in enumerate(self.reads)
            ),
        )
        services = tuple(self._service(replica) for replica in self.replicas)
        direct = Entry(self._public_urls("command"), self._public_urls("query"))
        gateway = caddy.gateway(self.public_port, direct)
        return Stack(
            architecture="cqrs",
            base_url=f"http://127.0.0.1:{self.public_port}",
            stages=(Stage(stores), Stage(services, tasks=migrations), Stage((gateway,))),
            notes=self._notes(),
            behind_gateway=direct,
        )

    def _public_urls(self, kind: str) -> tuple[str, ...]:
        return tuple(f"http://127.0.0.1:{one.public_port}" for one in self.replicas if one.kind == kind)

    def _notes(self) -> tuple[str, ...]:
        if not self.request.usual_ports or self.public_port == PUBLIC_PORT:
            return ()
        return (f"Port {PUBLIC_PORT} is in use by another server, so cqrs listens on {self.public_port}.",)

    def _migration(self, name: str, cluster: Cluster, which: str, **placement: str) -> Command:
        own = {"WALLET_DATABASE_URL": cluster.owner_url, "WALLET_SHARDS": str(len(self.reads))}
        env = {**own, **placement, **self.request.extra_variables("migrations", name)}
        return Command(name=name, argv=(*python_module("wallet_cqrs.migrations"), which), env=env)

    def _service(self, replica: Replica) -> Component:
        return Component(
            name=replica.name,
            kind=replica.kind,
            argv=python_module(f"wallet_cqrs.{replica.kind}"),
            env={**self._environment(replica), **self.request.extra_variables(replica.kind, replica.name)},
            port=replica.port,
            url=f"http://127.0.0.1:{replica.port}",
            probe=HttpProbe(replica.port),
            metrics_port=replica.port,
        )

    def _environment(self, replica: Replica) -> dict[str, str]:
        public = {"WALLET_PUBLIC_HOST": "127.0.0.1", "WALLET_PUBLIC_PORT": str(replica.public_port)}
        return {
            "WALLET_HOST": "127.0.0.1",
            "WALLET_PORT": str(replica.port),
            "WALLET_SERVICE_SECRET": self.credentials.service_secret,
            "WALLET_EVENT_STORE_URL": self.events.service_url,
            "WALLET_READ_URLS": ",".join(cluster.service_url for cluster in self.reads),
            "WALLET_REDIS_URL": redis.client_url(self.redis_port, self.credentials.redis),
            "WALLET_BROKER_URL": self.broker.url,
            **(public if replica.public_port else {}),
        }


def plan(request: Request, credentials: Credentials, data: Path, ports: PortChooser) -> Plan:
    """Choose the ports of a stack; its databases are in `data`."""

    def cluster(name: str, port: int) -> Cluster:
        return Cluster(name, database_of(name), data / name, ports.choose(port), credentials)

    topology = CqrsTopology(
        request=request,
        credentials=credentials,
        public_port=ports.choose(PUBLIC_PORT),
        redis_port=ports.choose(REDIS_PORT),
        events=cluster(EVENT_STORE, POSTGRES_PORT),
        reads=tuple(cluster(read_shard(shard), POSTGRES_PORT + 1 + shard) for shard in range(request.shards)),
        broker=Broker(
            data / "rabbitmq",
            ports.choose(AMQP_PORT),
            ports.choose(ERLANG_PORT),
            ports.choose(EPMD_PORT),
            credentials,
            metrics_port=ports.choose(BROKER_METRICS_PORT) if request.monitoring else None,
        ),
        replicas=_replicas(request, ports),
    )
    return Plan(stack=topology.stack(), clusters=topology.clusters, broker=topology.broker)


def _replicas(request: Request, ports: PortChooser) -> tuple[Replica, ...]:
    counts = {
        "command": request.number_of("commands"),
        "relay": request.number_of("relays"),
        "projection": request.number_of("projections"),
        "query": request.number_of("queries"),
    }
    return tuple(
        Replica(
            kind,
            number,
            ports.choose(OWN_PORTS[kind] + number),
            ports.choose(BEHIND_GATEWAY[kind] + number) if kind in BEHIND_GATEWAY else 0,
        )
        for kind, count in counts.items()
        for number in range(count)
    )
