"""The common part of the baselines' adapters: one kind of service, one schema, the same faults."""

from wallet_lab.architectures.acid.ledger import LEDGER
from wallet_lab.architectures.acid.topology import SERVICE, Baseline
from wallet_lab.architectures.adapter import (
    Architecture,
    Comparison,
    ComposeFile,
    Replicas,
    Style,
    Target,
)
from wallet_lab.architectures.bindings import on_shard


def baseline(
    topology: Baseline,
    style: Style,
    *,
    start_s: float,
    by_default: bool = False,
    compose_file: ComposeFile | None = None,
) -> Architecture:
    """Return the architecture of a baseline.

    Args:
        topology: its stack.
        style: how the report shows it.
        start_s: the estimated time to start and to stop its stack.
        by_default: whether a comparison includes it without being asked.
        compose_file: how its containers correspond to the components of the native stack.
    """
    return Architecture(
        name=topology.name,
        plan=topology.plan,
        modules=(topology.module,),
        services=frozenset({SERVICE}),
        style=style,
        comparison=Comparison(start_s=start_s, faults=("kill-postgres",), by_default=by_default),
        shards=topology.shards,
        ledger=LEDGER,
        replicas=(Replicas("services", SERVICE),),
        scaling={SERVICE: "replicas", "postgres": "one machine" if topology.shards == 1 else "shards"},
        properties=("fresh-reads",) if topology.shards == 1 else ("fresh-reads", "several-databases"),
        targets=(
            Target("service", f"{SERVICE}-0", "a service that writes"),
            Target("postgres", "postgres-0", "a database that takes writes", binds=on_shard(0)),
        ),
        compose_file=compose_file,
        is_baseline=True,
    )
