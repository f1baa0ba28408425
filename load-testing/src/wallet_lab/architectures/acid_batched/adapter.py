"""The adapter of the baseline acid-batched: one Postgres, one transaction per batch."""

from wallet_lab.architectures.acid.baseline import baseline
from wallet_lab.architectures.acid.topology import Baseline
from wallet_lab.architectures.adapter import Style

ARCHITECTURE = baseline(
    Baseline(
        name="acid-batched",
        module="wallet_baselines.acid_batched",
        public_port=3004,
        port=3040,
        postgres_port=5461,
        shards=1,
    ),
    Style(label="acid-batched (one Postgres)", colour="#56B4E9", marker="v"),
    start_s=4.0,
)
