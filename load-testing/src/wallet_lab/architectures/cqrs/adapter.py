"""The adapter of event-driven CQRS: what the lab knows about it."""

from wallet_lab.architectures.adapter import (
    Architecture,
    Comparison,
    ComposeFile,
    Ledger,
    Replicas,
    Style,
    Target,
)
from wallet_lab.architectures.cqrs import compose, ledger, relations
from wallet_lab.architectures.cqrs.maintenance import COMMANDS
from wallet_lab.architectures.cqrs.seeding import seed
from wallet_lab.architectures.cqrs.topology import EVENT_STORE, plan, read_shard

ARCHITECTURE = Architecture(
    name="cqrs",
    plan=plan,
    services=frozenset({"command", "relay", "projection", "query"}),
    style=Style(label="cqrs", colour="#D55E00", marker="s"),
    comparison=Comparison(
        start_s=18.0, faults=("kill-command", "kill-event-store", "kill-projection", "kill-rabbitmq")
    ),
    ledger=Ledger(
        shard=read_shard,
        seed=seed,
        backlog=ledger.backlog,
        reads=relations.READS,
        relations=relations.extract,
        wallets=relations.extract_wallets,
    ),
    replicas=(
        Replicas("commands", "command", "Command services (cqrs only)."),
        Replicas("relays", "relay"),
        Replicas("projections", "projection"),
        Replicas("queries", "query"),
    ),
    targets=(
        Target("command", "command-0", "a service that writes"),
        Target("gateway", "gateway", "the public port"),
        Target("event-store", EVENT_STORE, "a database that takes writes"),
        Target("redis", "redis", "the cache"),
        Target("relay", "relay-0", "the relay"),
        Target("rabbitmq", "rabbitmq", "the broker"),
        Target("projection", "projection-0", "the projection"),
        Target("read-shard", read_shard(0), "a read shard"),
        Target("query", "query-0", "the service that reads"),
    ),
    commands=COMMANDS,
    compose_file=ComposeFile(component=compose.component, secrets_holder=EVENT_STORE),
    published=("relay", "groups"),
)
