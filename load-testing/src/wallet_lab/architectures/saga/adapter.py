"""The adapter of the saga: what the lab knows about it."""

from wallet_lab.architectures.adapter import (
    Architecture,
    Comparison,
    ComposeFile,
    Ledger,
    Replicas,
    Style,
    Target,
)
from wallet_lab.architectures.saga import compose, ledger, relations
from wallet_lab.architectures.saga.seeding import seed
from wallet_lab.architectures.saga.topology import plan, shard

ARCHITECTURE = Architecture(
    name="saga",
    plan=plan,
    services=frozenset({"orchestrator", "worker"}),
    style=Style(label="saga", colour="#0072B2", marker="o"),
    comparison=Comparison(start_s=8.0, faults=("kill-worker", "kill-postgres")),
    ledger=Ledger(
        shard=shard,
        seed=seed,
        backlog=ledger.backlog,
        reads=relations.READS,
        relations=relations.extract,
        wallets=relations.extract_wallets,
    ),
    replicas=(
        Replicas("orchestrators", "orchestrator", "Orchestrators behind the public port (saga only)."),
    ),
    targets=(
        Target("worker", "worker-0", "a service that writes"),
        Target("orchestrator", "orchestrator-0", "the public port"),
        Target("postgres", "postgres-0", "a database that takes writes"),
        Target("redis", "redis", "the cache"),
    ),
    compose_file=ComposeFile(component=compose.component, secrets_holder=shard(0)),
)
