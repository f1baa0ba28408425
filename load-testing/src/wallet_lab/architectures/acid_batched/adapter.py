"""The adapter of the baseline acid-batched: one Postgres, one transaction per batch."""

from wallet_lab.architectures.acid.adapter import REPLICAS, TARGETS
from wallet_lab.architectures.acid.ledger import LEDGER
from wallet_lab.architectures.acid.topology import SERVICE, Baseline
from wallet_lab.architectures.adapter import Architecture, Comparison, Style

ARCHITECTURE = Architecture(
    name="acid-batched",
    plan=Baseline(
        name="acid-batched",
        module="wallet_baselines.acid_batched",
        public_port=3004,
        port=3040,
        postgres_port=5461,
        shards=1,
    ).plan,
    services=frozenset({SERVICE}),
    style=Style(label="acid-batched (one Postgres)", colour="#56B4E9", marker="v"),
    comparison=Comparison(start_s=4.0, faults=("kill-service", "kill-postgres"), by_default=False),
    shards=1,
    ledger=LEDGER,
    replicas=REPLICAS,
    targets=TARGETS,
)
