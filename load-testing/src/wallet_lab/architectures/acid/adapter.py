"""The adapter of the baseline acid: one Postgres, one transaction per request."""

from wallet_lab.architectures.acid.ledger import LEDGER
from wallet_lab.architectures.acid.topology import SERVICE, Baseline
from wallet_lab.architectures.adapter import Architecture, Comparison, Replicas, Style, Target

REPLICAS = (Replicas("services", SERVICE),)
TARGETS = (
    Target("service", f"{SERVICE}-0", "a service that writes"),
    Target("postgres", "postgres-0", "a database that takes writes"),
)

ARCHITECTURE = Architecture(
    name="acid",
    plan=Baseline(
        name="acid",
        module="wallet_baselines.acid",
        public_port=3003,
        port=3030,
        postgres_port=5460,
        shards=1,
    ).plan,
    services=frozenset({SERVICE}),
    style=Style(label="acid (one Postgres)", colour="#009E73", marker="^"),
    comparison=Comparison(start_s=4.0, faults=("kill-service", "kill-postgres"), by_default=False),
    shards=1,
    ledger=LEDGER,
    replicas=REPLICAS,
    targets=TARGETS,
)
