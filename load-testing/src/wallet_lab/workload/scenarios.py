"""The scenarios as plain data: the settings for k6, the wallets, and the calls that are counted."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from wallet_lab.errors import LabError

HOT_PAIR = ("hot-payer", "hot-sink")
"""Two wallets that are on different shards, with 2 or with 4 shards."""

WALLET_PREFIX = "load-"
"""The prefix of the other wallets' names; a number from 0 follows."""

BANK_WALLETS = 20
"""The number of wallets for which a bank's clients compete: `bank-0`, …"""

FAULT_SHARES = (1.0, 0.5, 0.2)
"""The iterations and clients of the load during faults, per transfer: transfers, reads and a bank's actions
(scenarios/fault.js)."""

CLIENTS_FOR_ARRIVALS = 100
"""The least number of clients for a fixed arrival rate. k6 drops an arrival if no client is free."""

BY_THE_CLOCK = ("open", "consistency")
"""The scripts with an adjustable arrival rate."""

WITH_A_BANK = ("bank", "fault")
"""The scripts with a bank's clients."""

SWEEP_PER_S = (250, 500, 1000, 1500, 2000, 2500, 3000, 4000)

Counted = Literal["transfers", "reads", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of load. `name` is its name in the report, `script` its name in load-testing/script.js."""

    name: str
    script: str
    clients: int = 50
    """Virtual users of k6; in an open scenario, the most that it may use."""
    duration_s: float = 10.0
    rate_per_s: float | None = None
    """Arrivals per second of an open scenario; None in a closed loop."""
    wallets: int = 0
    """The number of wallets; 0 means the hot pair."""
    rates_per_s: tuple[int, ...] = ()
    """Arrivals per second of each step of a sweep. Each step takes `duration_s`."""
    counted: Counted = "transfers"
    """The calls that the figures count. Of both, throughput and latency are reported apart, costs per call together."""
    paced: bool = False
    """Whether the pauses of the clients decide the throughput."""
    seed: int = 1
    """The start of the clients' draws: the same number makes the same clients draw the same calls."""

    @property
    def warm_up(self) -> "Scenario":
        """Return the warm-up's scenario: the scenario itself, but without steps for a sweep."""
        return replace(self, script="uniform", rates_per_s=(), clients=50) if self.rates_per_s else self

    def lasting(self, duration_s: float) -> "Scenario":
        """Copy the scenario with another duration."""
        return replace(self, duration_s=duration_s)

    def seeded(self, seed: int) -> "Scenario":
        """Copy the scenario with other draws."""
        return replace(self, seed=seed)

    def with_clients(self, clients: int) -> "Scenario":
        """Copy the scenario with another number of clients."""
        return replace(self, clients=clients)

    @property
    def clients_max(self) -> int:
        """The largest number of concurrent clients; consistency has one, plus those of its background load."""
        if self.script == "fault":
            return sum(ceil(share * self.clients) for share in FAULT_SHARES)
        if self.script != "consistency":
            return self.clients
        return 1 if self.rate_per_s is None else 1 + self.clients

    @property
    def arrivals(self) -> float | None:
        """The number of iterations that begin at a fixed rate; None if clients wait for responses."""
        if self.script == "consistency" or not (self.rates_per_s or self.rate_per_s):
            return None
        each_s = sum(self.rates_per_s or (self.rate_per_s or 0.0,))
        shares = FAULT_SHARES if self.script == "fault" else (1.0,)
        return sum(ceil(share * each_s) if share < 1 else each_s for share in shares) * self.duration_s

    @property
    def rate_max_per_s(self) -> float:
        """The highest arrival rate; 0 if clients wait for responses."""
        return max((self.rate_per_s or 0.0, *self.rates_per_s))

    def at_rate(self, rate_per_s: float, name: str) -> "Scenario":
        """Copy the scenario with this arrival rate (for consistency: of the background load) and another name."""
        return replace(
            self, rate_per_s=rate_per_s, name=name, clients=max(self.clients, CLIENTS_FOR_ARRIVALS)
        )

    @property
    def accounts(self) -> list[str]:
        """The wallets that must be open: the hot pair, and those that the script draws from."""
        drawn = [f"{WALLET_PREFIX}{number}" for number in range(self.wallets)]
        bank = [f"bank-{number}" for number in range(BANK_WALLETS)] if self.script in WITH_A_BANK else []
        return [*HOT_PAIR, *drawn, *bank]


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="normal", script="normal", paced=True),
        Scenario(name="highload", script="highload", clients=500, paced=True),
        Scenario(name="hot-pair", script="hot-pair"),
        Scenario(name="uniform-1k", script="uniform", wallets=1000),
        Scenario(name="uniform-100k", script="uniform", wallets=100_000),
        Scenario(name="zipf", script="zipf", wallets=10_000),
        Scenario(name="open", script="open", clients=1000, rate_per_s=500.0, wallets=1000),
        Scenario(name="reads", script="reads", wallets=1000, counted="reads"),
        Scenario(name="mixed", script="mixed", wallets=1000, counted="both"),
        Scenario(name="refusals", script="refusals", wallets=1000),
        Scenario(name="bank", script="bank", clients=20),
        Scenario(
            name="sweep", script="sweep", clients=500, duration_s=5.0, wallets=1000, rates_per_s=SWEEP_PER_S
        ),
        Scenario(name="consistency", script="consistency", clients=1, wallets=1000),
    )
}


def find(name: str) -> Scenario:
    """Return the scenario with this name. Raises LabError, which lists all names, if there is none."""
    if name not in SCENARIOS:
        raise LabError(f"there is no scenario '{name}'; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
