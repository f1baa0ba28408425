"""The adapter of the baseline two-phase: one Postgres per shard, two-phase commit between them."""

from wallet_lab.architectures.acid.baseline import baseline
from wallet_lab.architectures.acid.topology import Baseline
from wallet_lab.architectures.adapter import Style

ARCHITECTURE = baseline(
    Baseline(
        name="two-phase",
        module="wallet_baselines.two_phase",
        public_port=3005,
        port=3050,
        postgres_port=5470,
        shards=None,
        prepared_transactions_max=60,
    ),
    Style(label="two-phase commit", colour="#CC79A7", marker="P"),
    start_s=5.0,
)
