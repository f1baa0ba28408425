"""The adapter of event-driven CQRS: its implementation of the lab's interface."""

from wallet_lab.architectures.adapter import (
    CACHE,
    Architecture,
    Comparison,
    ComposeFile,
    Hop,
    Ledger,
    Replicas,
    Style,
    Target,
)
from wallet_lab.architectures.bindings import (
    behind_cache,
    both,
    on_shard,
    reads,
    reads_of_own_writes,
    writes,
)
from wallet_lab.architectures.cqrs import compose, ledger, performance, relations
from wallet_lab.architectures.cqrs.maintenance import COMMANDS
from wallet_lab.architectures.cqrs.seeding import seed
from wallet_lab.architectures.cqrs.topology import BEHIND_GATEWAY, EVENT_STORE, plan, read_shard

ARCHITECTURE = Architecture(
    name="cqrs",
    plan=plan,
    modules=("wallet_cqrs.command", "wallet_cqrs.relay", "wallet_cqrs.projection", "wallet_cqrs.query"),
    services=frozenset({"command", "relay", "projection", "query"}),
    style=Style(label="cqrs", colour="#D55E00", marker="s"),
    comparison=Comparison(start_s=18.0, faults=("kill-event-store", "kill-query")),
    ledger=Ledger(
        shard=read_shard,
        seed=seed,
        backlog=ledger.backlog,
        reads=relations.READS,
        relations=relations.extract,
        beginning=relations.extract_beginning,
    ),
    replicas=(
        Replicas("commands", "command", "Command services (cqrs only)."),
        Replicas("relays", "relay"),
        Replicas("projections", "projection"),
        Replicas("queries", "query"),
    ),
    properties=("event-history",),
    targets=(
        Target("command", "command-0", "a service that writes", binds=writes),
        Target("gateway", "gateway", "the public port"),
        Target("event-store", EVENT_STORE, "a database that takes writes", binds=writes),
        Target("redis", "redis", CACHE, binds=reads),
        Target("relay", "relay-0", "the relay", binds=reads_of_own_writes),
        Target("rabbitmq", "rabbitmq", "the broker", binds=reads_of_own_writes),
        Target("projection", "projection-0", "the projection", binds=reads_of_own_writes),
        Target("read-shard", read_shard(0), "a read shard", binds=behind_cache(both(reads, on_shard(0)))),
        Target("query", "query-0", "the service that reads", binds=reads),
    ),
    commands=COMMANDS,
    performance_targets=performance.TARGETS,
    scaling=performance.SCALING,
    compose_file=ComposeFile(
        component=compose.component,
        secrets_holder=EVENT_STORE,
        writes=("command", BEHIND_GATEWAY["command"]),
        reads=("query", BEHIND_GATEWAY["query"]),
    ),
    hops=(
        Hop("published", "relay", "wallet_published_seconds"),
        Hop("projected", "projection", "wallet_projected_seconds"),
        Hop("cached", "projection", "wallet_visible_seconds"),
    ),
    published=("relay", "groups"),
)
