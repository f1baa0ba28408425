"""The adapter of the baseline two-phase: one Postgres per shard, two-phase commit between them."""

from wallet_lab.architectures.acid.adapter import REPLICAS, TARGETS
from wallet_lab.architectures.acid.ledger import LEDGER
from wallet_lab.architectures.acid.topology import SERVICE, Baseline
from wallet_lab.architectures.adapter import Architecture, Comparison, Style

ARCHITECTURE = Architecture(
    name="two-phase",
    plan=Baseline(
        name="two-phase",
        module="wallet_baselines.two_phase",
        public_port=3005,
        port=3050,
        postgres_port=5470,
        shards=None,
        prepared_transactions_max=60,
    ).plan,
    services=frozenset({SERVICE}),
    style=Style(label="two-phase commit", colour="#CC79A7", marker="P"),
    comparison=Comparison(start_s=5.0, faults=("kill-service", "kill-postgres"), by_default=False),
    ledger=LEDGER,
    replicas=REPLICAS,
    targets=TARGETS,
)
