"""The findings of a comparison."""

from dataclasses import dataclass, field
from statistics import median

from wallet_lab.report.model import LIMITS_MS, MAIN_LIMIT_MS, Capacity, Delay, FaultRun, Run, Size, Sustained


@dataclass(slots=True)
class Findings:
    """The findings so far; an interrupted comparison reports them."""

    runs: list[Run] = field(default_factory=list)
    delays: list[Delay] = field(default_factory=list)
    capacities: list[Capacity] = field(default_factory=list)
    sustained: list[Sustained] = field(default_factory=list)
    faults: list[FaultRun] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    repeated_blocks: dict[str, int] = field(default_factory=dict)
    unsteady_blocks: dict[str, int] = field(default_factory=dict)
    idle_cpu_percent: dict[str, float] = field(default_factory=dict)
    processes: dict[str, dict[str, int]] = field(default_factory=dict)
    """By stack and kind: the number of components."""
    not_run: list[str] = field(default_factory=list)
    """Parts that have no run in the report, each as a sentence."""
    client_cores: int = 0

    def capacity_per_s(self, architecture: str) -> float | None:
        """Return the median capacity of an architecture at the main limit; None if no search found one.

        On a machine that is too slow for the main limit, the loosest limit counts.
        """
        found = [each.rates_per_s for each in self.capacities if each.architecture == architecture]
        for limit_ms in (MAIN_LIMIT_MS, max(LIMITS_MS)):
            if rates := [rates[f"{limit_ms:g}"] for rates in found if f"{limit_ms:g}" in rates]:
                return median(rates)
        return None

    def closed_loop_per_s(self, architecture: str) -> float | None:
        """Return the median throughput of transfers between random wallets; None if it was not measured."""
        found = [
            run.acked_per_s
            for run in self.runs
            if (run.architecture, run.scenario, run.route) == (architecture, "uniform-1k", "direct")
            and run.acked_per_s
        ]
        return median(found) if found else None
