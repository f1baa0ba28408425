"""The load that a fault meets: it comes by the clock, so that a stack in trouble gets no less of it. Pure."""

from wallet_lab.bench.scenarios import Scenario, find

RATE_PER_S = 300.0
"""So many that faults hurt, so few that a small machine carries them with its cores half idle."""
BEFORE_S = 5.0
AFTER_S = 12.0
CLIENTS = 400


def load(rate_per_s: float = RATE_PER_S, after_s: float = AFTER_S) -> Scenario:
    """The load that a fault meets."""
    return find("open").at_rate(rate_per_s, "open").with_clients(CLIENTS).lasting(BEFORE_S + after_s)
