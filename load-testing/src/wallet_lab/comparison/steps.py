"""Runs the steps of a comparison that are no blocks: the pause, searches, delays, sustained runs and faults."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from wallet_lab.comparison.capacity import GROWTH, LATER_GROWTH, clients_for, next_rate, rates_per_s
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import IDLE_S, Contest, DelayRun, Search, SustainedRun
from wallet_lab.errors import LabError
from wallet_lab.report.model import Capacity, Probe, Sustained
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.probe import probe_load, probe_of
from wallet_lab.workload.run import measure_delay
from wallet_lab.workload.sampler import between, look
from wallet_lab.workload.series import Series
from wallet_lab.workload.sustained import run_sustained, sustained_load
from wallet_lab.workload.verdict import first_violation, passed

START_PER_S = 300.0
"""The first rate of a search if no closed loop was measured."""
START_SHARE = 0.6
"""The first rate of a search as a share of the throughput of a closed loop: probably a little below the capacity."""
HALF = 0.5
SUSTAINED_SHARE = 0.7
"""The arrival rate of a sustained run as a share of the capacity."""
PATIENCE_S = 0.3
"""Below saturation, the clients suffice for this mean latency."""


def measure_idle(stacks: Mapping[str, RunningStack], pause_s: float = IDLE_S) -> dict[str, float]:
    """Return the share of the machine's CPU time that each stack takes during a pause, percent."""
    before = {name: look(stack) for name, stack in stacks.items()}
    time.sleep(pause_s)
    used = {name: between(before[name], look(stack)) for name, stack in stacks.items()}
    return {
        name: 100 * sum(usage.cpu_s.values()) / usage.machine_s
        for name, usage in used.items()
        if usage.cpu_s is not None and usage.machine_s
    }


def search_capacity(
    stack: RunningStack, search: Search, findings: Findings, evidence: Path | None = None
) -> Capacity:
    """Probe arrival rates until the capacity is known, then audit all calls. `evidence` gets the audit's evidence."""
    probes: list[Probe] = []
    first, growth = _beginning(search, findings)
    with TemporaryDirectory(prefix="wallet-capacity-") as folder:
        series = Series(stack, probe_load(first, search.probe_s, 1), Path(folder))
        while (rate := next_rate(probes, first, search.resolution, growth)) is not None:
            load = probe_load(rate, search.probe_s, clients_for(rate)).seeded(search.repeat)
            probes.append(probe_of(series.measure(load)))
        audit = series.audit(evidence)
    is_passed = passed(audit)
    return Capacity(
        architecture=search.architecture,
        repeat=search.repeat,
        verdict="passed" if is_passed else "failed",
        why=first_violation(audit),
        rates_per_s=rates_per_s(probes) if is_passed else {},
        probes=probes if is_passed else [],
        audit=audit,
    )


def _beginning(search: Search, findings: Findings) -> tuple[float, float]:
    """Return the first rate of a search and the factor between its rates.

    It starts near the capacity that earlier searches found, and 0 to 10 % below it: a search always from the same rate
    would always try the same rates. Without an earlier search, it starts by the throughput of a closed loop.
    """
    if known := findings.capacity_per_s(search.architecture):
        return known * Random(f"{search.architecture} {search.repeat}").uniform(0.9, 1.0), LATER_GROWTH
    closed = findings.closed_loop_per_s(search.architecture)
    return (START_SHARE * closed if closed else START_PER_S), GROWTH


def at_half_capacity(contest: Contest, names: tuple[str, ...], findings: Findings) -> Contest:
    """Return the blocks with their arrival rate: half of the lowest capacity of the compared architectures.

    Raises:
        LabError: the capacity of an architecture is not known.
    """
    known = {name: findings.capacity_per_s(name) for name in names}
    rates = [rate for rate in known.values() if rate is not None]
    if len(rates) < len(known):
        unknown = ", ".join(name for name, rate in known.items() if rate is None)
        raise LabError(f"the arrival rate is not known, because there is no capacity of {unknown}")
    rate = round(HALF * min(rates))
    load = replace(contest.scenario, rate_per_s=rate, clients=clients_for(rate, PATIENCE_S))
    return replace(contest, scenario=load, control=load)


def sustain(
    stack: RunningStack, step: SustainedRun, capacity: float | None, evidence: Path | None = None
) -> Sustained:
    """Run the sustained load at a share of the capacity.

    Raises:
        LabError: the capacity is not known.
    """
    if capacity is None:
        raise LabError(f"the arrival rate is not known, because there is no capacity of {step.architecture}")
    rate = SUSTAINED_SHARE * capacity
    return run_sustained(
        stack, sustained_load(rate, step.duration_s, clients_for(rate, PATIENCE_S)), evidence
    )


def add_delay(stack: RunningStack, step: DelayRun, findings: Findings, evidence: Path | None = None) -> None:
    """Measure the consistency delay, and add it and its run to the findings."""
    run, delay = measure_delay(
        stack, step.scenario, load=step.load, repeat=step.repeat, warm_up_s=0, keep=evidence
    )
    findings.runs.append(run)
    findings.delays += [delay] if delay else []
