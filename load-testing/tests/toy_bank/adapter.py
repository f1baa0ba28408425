"""The adapter of an architecture with the whole contract: the service of the baseline acid under a new name."""

from wallet_lab.architectures.acid.adapter import REPLICAS, TARGETS
from wallet_lab.architectures.acid.ledger import LEDGER
from wallet_lab.architectures.acid.topology import SERVICE, Baseline
from wallet_lab.architectures.adapter import Architecture, Comparison, Style

ARCHITECTURE = Architecture(
    name="toy-bank",
    plan=Baseline(
        name="toy-bank",
        module="wallet_baselines.acid",
        public_port=3008,
        port=3080,
        postgres_port=5480,
        shards=1,
    ).plan,
    services=frozenset({SERVICE}),
    style=Style(label="toy-bank", colour="#56B4E9", marker="v"),
    comparison=Comparison(start_s=4.0, faults=("kill-service", "kill-postgres"), by_default=False),
    shards=1,
    ledger=LEDGER,
    replicas=REPLICAS,
    targets=TARGETS,
)
