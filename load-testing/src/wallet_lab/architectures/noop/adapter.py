"""The adapter of the control, which answers the same HTTP calls without doing the work."""

from wallet_lab.architectures.adapter import Architecture, Comparison, Style
from wallet_lab.architectures.noop.topology import plan
from wallet_lab.report.model import HALF_CAPACITY

ARCHITECTURE = Architecture(
    name="noop",
    plan=plan,
    services=frozenset({"noop"}),
    style=Style(label="noop (no work: the upper limit)", colour="#8A8A8A", marker="D"),
    comparison=Comparison(
        start_s=3.0,
        scenarios=(
            *("uniform-1k", "hot-pair", "reads", "mixed", "zipf", "open", "normal", "highload"),
            *("uniform-100k", HALF_CAPACITY),
        ),
    ),
)
