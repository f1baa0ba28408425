"""The scenarios as plain data: what k6 is told, which wallets it needs, and what is counted."""

from dataclasses import dataclass, replace
from typing import Literal

from wallet_lab.errors import LabError

HOT_PAIR = ("hot-payer", "hot-sink")
"""Two wallets on different shards, whether there are 2 or 4."""

WALLET_PREFIX = "load-"
"""The other wallets are named so and numbered from 0."""

CLIENTS_FOR_ARRIVALS = 100
"""At least so many for load that comes by the clock: one that finds no client free is dropped."""

BY_THE_CLOCK = ("open", "consistency")
"""The scripts with a rate of arrivals that can be chosen."""

SWEEP_PER_S = (250, 500, 1000, 1500, 2000, 2500, 3000, 4000)

Counted = Literal["transfers", "reads", "calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of load. `name` is the report's, `script` is what load-testing/script.js calls it."""

    name: str
    script: str
    clients: int = 50
    """Virtual users of k6; of an open scenario, how many it may use."""
    duration_s: float = 10.0
    rate_per_s: float | None = None
    """Arrivals a second of an open scenario; None in a closed loop."""
    wallets: int = 0
    """How many wallets take part; 0: the hot pair."""
    rates_per_s: tuple[int, ...] = ()
    """The arrivals a second of a sweep's steps, of which each takes `duration_s`."""
    counted: Counted = "transfers"
    """What throughput and costs are of: transfers, reads, or both. Latency is that of transfers where there are any."""

    @property
    def warm_up(self) -> "Scenario":
        """What goes before it: a sweep's steps are no warm-up, the rest is its own."""
        return replace(self, script="uniform", rates_per_s=(), clients=50) if self.rates_per_s else self

    def lasting(self, duration_s: float) -> "Scenario":
        """The same for another time."""
        return replace(self, duration_s=duration_s)

    def with_clients(self, clients: int) -> "Scenario":
        """The same with another number of clients."""
        return replace(self, clients=clients)

    @property
    def clients_max(self) -> int:
        """How many clients k6 has at once: consistency has one of its own, and others only for the load beside."""
        if self.script != "consistency":
            return self.clients
        return 1 if self.rate_per_s is None else 1 + self.clients

    @property
    def arrivals(self) -> float | None:
        """How many transfers arrive by the clock; None where clients wait for answers."""
        if self.script == "consistency" or not (self.rates_per_s or self.rate_per_s):
            return None
        return sum(self.rates_per_s or (self.rate_per_s or 0.0,)) * self.duration_s

    @property
    def rate_max_per_s(self) -> float:
        """The highest rate of arrivals; 0 where clients wait for answers."""
        return max((self.rate_per_s or 0.0, *self.rates_per_s))

    def at_rate(self, rate_per_s: float, name: str) -> "Scenario":
        """The same with arrivals at this rate (consistency: beside what is measured), under a name of its own."""
        return replace(
            self, rate_per_s=rate_per_s, name=name, clients=max(self.clients, CLIENTS_FOR_ARRIVALS)
        )

    @property
    def accounts(self) -> list[str]:
        """The wallets that must be open: the hot pair always, and those that the script draws from."""
        return [*HOT_PAIR, *(f"{WALLET_PREFIX}{number}" for number in range(self.wallets))]


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="normal", script="normal"),
        Scenario(name="highload", script="highload", clients=500),
        Scenario(name="hot-pair", script="hot-pair"),
        Scenario(name="uniform-1k", script="uniform", wallets=1000),
        Scenario(name="uniform-100k", script="uniform", wallets=100_000),
        Scenario(name="zipf", script="zipf", wallets=10_000),
        Scenario(name="open", script="open", clients=1000, rate_per_s=500.0, wallets=1000),
        Scenario(name="reads", script="reads", wallets=1000, counted="reads"),
        Scenario(name="mixed", script="mixed", wallets=1000, counted="calls"),
        Scenario(name="refusals", script="refusals", wallets=1000),
        Scenario(
            name="sweep", script="sweep", clients=500, duration_s=5.0, wallets=1000, rates_per_s=SWEEP_PER_S
        ),
        Scenario(name="consistency", script="consistency", clients=1, wallets=1000),
    )
}


def find(name: str) -> Scenario:
    """The scenario with this name. Raises LabError naming those that there are."""
    if name not in SCENARIOS:
        raise LabError(f"there is no scenario '{name}'; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
