"""The adapter of the baseline acid: one Postgres, one transaction per request."""

from wallet_lab.architectures.acid.baseline import baseline
from wallet_lab.architectures.acid.compose import COMPOSE_FILE
from wallet_lab.architectures.acid.topology import Baseline
from wallet_lab.architectures.adapter import Style

ARCHITECTURE = baseline(
    Baseline(
        name="acid",
        module="wallet_baselines.acid",
        public_port=3003,
        port=3030,
        postgres_port=5460,
        shards=1,
    ),
    Style(label="acid (one Postgres)", colour="#009E73", marker="^"),
    start_s=4.0,
    by_default=True,
    compose_file=COMPOSE_FILE,
)
