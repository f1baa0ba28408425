"""The adapter of the saga: its implementation of the lab's interface."""

from wallet_lab.architectures.adapter import (
    CACHE,
    Architecture,
    Comparison,
    ComposeFile,
    Ledger,
    Replicas,
    Style,
    Target,
)
from wallet_lab.architectures.bindings import behind_cache, on_shard
from wallet_lab.architectures.saga import compose, ledger, performance, relations
from wallet_lab.architectures.saga.seeding import seed
from wallet_lab.architectures.saga.topology import PUBLIC_PORT, plan, shard

ARCHITECTURE = Architecture(
    name="saga",
    plan=plan,
    modules=("wallet_saga.orchestrator", "wallet_saga.worker"),
    services=frozenset({"orchestrator", "worker"}),
    style=Style(label="saga", colour="#0072B2", marker="o"),
    comparison=Comparison(start_s=8.0, faults=("kill-postgres",)),
    ledger=Ledger(
        shard=shard,
        seed=seed,
        backlog=ledger.backlog,
        reads=relations.READS,
        relations=relations.extract,
        beginning=relations.extract_beginning,
    ),
    replicas=(
        Replicas("orchestrators", "orchestrator", "Orchestrators behind the public port (saga only)."),
    ),
    properties=("fresh-reads", "several-databases"),
    targets=(
        Target("worker", "worker-0", "a service that writes", binds=behind_cache(on_shard(0))),
        Target("orchestrator", "orchestrator-0", "the public port"),
        Target("postgres", shard(0), "a database that takes writes", binds=behind_cache(on_shard(0))),
        # A step on a wallet that was just read waits until the cache has the new balance, or for one lease.
        Target("redis", "redis", CACHE),
    ),
    performance_targets=performance.TARGETS,
    scaling=performance.SCALING,
    compose_file=ComposeFile(
        component=compose.component,
        secrets_holder=shard(0),
        writes=("orchestrator", PUBLIC_PORT),
        reads=("orchestrator", PUBLIC_PORT),
    ),
)
