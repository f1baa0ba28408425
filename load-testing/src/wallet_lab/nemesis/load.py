"""The load during faults. Calls arrive at fixed rates, so a stack in trouble gets the same load. Pure."""

from math import ceil

from wallet_lab.workload.scenarios import Scenario

RATE_PER_S = 100.0
"""Transfers per second. As many reads arrive too. Low enough that a small machine has half of its CPU idle."""
BEFORE_S = 6.0
"""Time before the first fault."""
STEADY_S = 3.0
"""Time between the recovery from a fault and the next fault."""
RECOVERY_TIMEOUT_S = 30.0
"""If the stack has not recovered after this time, the next fault follows."""
CLIENTS_S = 4.0
"""The clients suffice while no call is answered for this time."""
PARTS = ("fault", "reads")
"""The parts of the load that only a fault can prevent: not those of the bank's clients."""


def load(injections: int, rate_per_s: float = RATE_PER_S) -> Scenario:
    """Return the load for so many injections, with the longest duration that it can need (scenarios/fault.js)."""
    return Scenario(
        name="fault",
        script="fault",
        clients=ceil(CLIENTS_S * rate_per_s),
        duration_s=BEFORE_S + injections * (RECOVERY_TIMEOUT_S + 2 * STEADY_S),
        rate_per_s=rate_per_s,
        wallets=1000,
    )
