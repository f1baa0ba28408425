"""The adapter of the control, which answers the same HTTP calls without doing the work."""

from wallet_lab.architectures.adapter import Architecture, Comparison, Style
from wallet_lab.architectures.noop.topology import plan

ARCHITECTURE = Architecture(
    name="noop",
    plan=plan,
    services=frozenset({"noop"}),
    style=Style(label="noop (no work: the upper limit)", colour="#8A8A8A", marker="D"),
    # Other transfers would give the same figures, because it ignores their content.
    comparison=Comparison(start_s=3.0, scenarios=("hot-pair", "uniform-1k", "reads")),
)
