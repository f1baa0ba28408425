"""The load during a fault. Transfers arrive at a fixed rate, so a stack in trouble gets the same load. Pure."""

from wallet_lab.workload.scenarios import Scenario

RATE_PER_S = 300.0
"""High enough that faults have an effect, low enough that a small machine has half of its CPU idle."""
BEFORE_S = 5.0
AFTER_S = 12.0
CLIENTS = 400


def load(rate_per_s: float = RATE_PER_S, after_s: float = AFTER_S) -> Scenario:
    """Return the load during a fault. A bank's clients send all other calls meanwhile (scenarios/fault.js)."""
    return Scenario(
        name="fault",
        script="fault",
        clients=CLIENTS,
        duration_s=BEFORE_S + after_s,
        rate_per_s=rate_per_s,
        wallets=1000,
    )
