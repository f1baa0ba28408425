"""The load during a fault. Transfers arrive at a fixed rate, so a stack in trouble gets the same load. Pure."""

from wallet_lab.workload.scenarios import Scenario, find

RATE_PER_S = 300.0
"""High enough that faults have an effect, low enough that a small machine has half of its CPU idle."""
BEFORE_S = 5.0
AFTER_S = 12.0
CLIENTS = 400


def load(rate_per_s: float = RATE_PER_S, after_s: float = AFTER_S) -> Scenario:
    """Return the load during a fault."""
    return find("open").at_rate(rate_per_s, "open").with_clients(CLIENTS).lasting(BEFORE_S + after_s)
