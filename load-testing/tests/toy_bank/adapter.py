"""The adapter of an architecture with the whole contract: the service of the baseline acid under a new name."""

from wallet_lab.architectures.acid.baseline import baseline
from wallet_lab.architectures.acid.topology import Baseline
from wallet_lab.architectures.adapter import Style

ARCHITECTURE = baseline(
    Baseline(
        name="toy-bank",
        module="wallet_baselines.acid",
        public_port=3008,
        port=3080,
        postgres_port=5480,
        shards=1,
    ),
    Style(label="toy-bank", colour="#56B4E9", marker="v"),
    start_s=4.0,
)
