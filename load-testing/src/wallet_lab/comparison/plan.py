"""The plan of a comparison: its runs, their order, and an estimate of the time. Pure.

Each repeat starts each architecture again, and the repeats alternate (A B A B …). If the machine becomes slower during
the half hour, both architectures are affected equally.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from wallet_lab.architectures.adapter import Architecture
from wallet_lab.nemesis.faults import Fault
from wallet_lab.nemesis.faults import find as find_fault
from wallet_lab.nemesis.load import load as fault_load
from wallet_lab.workload.scenarios import SCENARIOS, Scenario

Kind = Literal["scenario", "sweep", "delay", "fault"]

WHAT_THEY_ARE = {
    "hot-pair": "50 clients, all from one wallet to another",
    "uniform-1k": "50 clients, 1000 wallets at random",
    "zipf": "50 clients, 10 000 wallets, few of them get most",
    "refusals": "50 clients, a share to wallets that are missing, frozen or empty",
    "bank": "20 clients, all calls of the contract, 20 wallets",
    "mixed": "50 clients, nine reads to a transfer",
    "reads": "50 clients read balances",
    "normal": "50 clients that pause half a second, one pair of wallets",
    "highload": "500 clients that pause half a second, one pair of wallets",
    "open": "500 transfers arrive each second, 1000 wallets",
    "sweep": "transfers arrive at rising rates, 1000 wallets",
    "consistency": "one client writes and then reads",
    "uniform-100k": "50 clients, 100 000 wallets at random",
}
"""In the order of execution: uniform-100k comes last, because every later audit also checks its wallets."""

LOADED_PER_S = 300.0
"""Transfers per second of the background load in the second measurement of the consistency delay."""

OVERHEAD_S = 4.0
"""Seconds that k6's start, seeding, quiescence and the audit add to a load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The number of repeats, the durations and the rates of a comparison."""

    repeats: int
    load_s: float
    pausing_load_s: float
    """Duration of the loads with few calls per second: clients that ramp up and pause, and the consistency client."""
    sweep_step_s: float
    sweep_rates_per_s: tuple[int, ...]
    warm_up_s: float
    after_fault_s: float
    fault_repeats: int


FULL = Extent(
    repeats=3,
    load_s=8.0,
    pausing_load_s=12.0,
    sweep_step_s=4.0,
    sweep_rates_per_s=(250, 500, 1000, 1500, 2000, 2500, 3000),
    warm_up_s=2.0,
    after_fault_s=12.0,
    fault_repeats=2,
)
QUICK = Extent(
    repeats=1,
    load_s=2.5,
    pausing_load_s=5.0,
    sweep_step_s=1.5,
    sweep_rates_per_s=(500, 1000, 1500, 2000, 3000),
    warm_up_s=0.0,
    after_fault_s=7.0,
    fault_repeats=1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One load or fault that a session runs on its stack."""

    kind: Kind
    scenario: Scenario
    warm_up_s: float
    estimate_s: float
    fault: Fault | None = None

    @property
    def name(self) -> str:
        """The name that progress shows."""
        return self.fault.name if self.fault else self.scenario.name


@dataclass(frozen=True, slots=True)
class Session:
    """One start of one architecture, and its runs until it is stopped."""

    architecture: str
    repeat: int
    planned: tuple[PlannedRun, ...]
    start_s: float
    """Estimated seconds to start and to stop the stack."""


def plan(extent: Extent, architectures: Iterable[Architecture]) -> list[Session]:
    """Return all sessions, in order."""
    return [
        Session(
            one.name, repeat, (*_loads(extent, one), *_faults(extent, one, repeat)), one.comparison.start_s
        )
        for repeat in range(1, extent.repeats + 1)
        for one in architectures
    ]


def estimate_s(sessions: list[Session]) -> float:
    """Return the estimated seconds for all sessions."""
    return sum(
        session.start_s + sum(planned.estimate_s for planned in session.planned) for session in sessions
    )


def _loads(extent: Extent, architecture: Architecture) -> list[PlannedRun]:
    names = architecture.comparison.scenarios or WHAT_THEY_ARE
    return [planned for name in names for planned in _runs_of(extent, SCENARIOS[name])]


def _runs_of(extent: Extent, scenario: Scenario) -> list[PlannedRun]:
    if scenario.name == "sweep":
        return [_sweep(extent, scenario)]
    if scenario.name == "consistency":
        loaded = scenario.at_rate(LOADED_PER_S, f"consistency-{LOADED_PER_S:g}")
        return [_load(extent, each, "delay") for each in (scenario, loaded)]
    return [_load(extent, scenario)]


def _load(extent: Extent, scenario: Scenario, kind: Kind = "scenario") -> PlannedRun:
    pauses = scenario.script in {"normal", "highload", "consistency"}
    lasting = scenario.lasting(extent.pausing_load_s if pauses else extent.load_s)
    return _planned(kind, lasting, extent.warm_up_s, lasting.duration_s)


def _sweep(extent: Extent, scenario: Scenario) -> PlannedRun:
    rates = extent.sweep_rates_per_s
    sweep = replace(scenario, rates_per_s=rates).lasting(extent.sweep_step_s)
    return _planned("sweep", sweep, extent.warm_up_s, sweep.duration_s * len(rates))


def _faults(extent: Extent, architecture: Architecture, repeat: int) -> list[PlannedRun]:
    names = architecture.comparison.faults if repeat <= extent.fault_repeats else ()
    scenario = fault_load(after_s=extent.after_fault_s)
    return [
        replace(_planned("fault", scenario, 0, scenario.duration_s), fault=find_fault(architecture, name))
        for name in names
    ]


def _planned(kind: Kind, scenario: Scenario, warm_up_s: float, seconds: float) -> PlannedRun:
    estimate = seconds + warm_up_s + OVERHEAD_S
    return PlannedRun(kind=kind, scenario=scenario, warm_up_s=warm_up_s, estimate_s=estimate)
