"""Compares the stack of this checkout with that of another one: single transfers, and the capacity.

The loads come from this checkout's k6 script for both stacks, in turn. If the other stack has a gateway, clients of
both stacks call the gateway, because older versions do not publish the addresses of the services.
"""

import asyncio
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import msgspec

from wallet_lab.checker.evidence import opened
from wallet_lab.comparison.capacity import clients_for, next_rate, rates_per_s
from wallet_lab.comparison.contest import Watch
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.targets.other_checkout import Other
from wallet_lab.comparison.targets.rows import LONE, earlier
from wallet_lab.record.calls import Call, count, latency
from wallet_lab.report.model import Audit, Capacity, Probe, Run
from wallet_lab.stack.components import Entry
from wallet_lab.stack.health.backlog import wait_for_quiescence
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.k6 import Load, record_of, run_k6
from wallet_lab.workload.measurement import entry
from wallet_lab.workload.probe import probe, probe_load
from wallet_lab.workload.sampler import between, look
from wallet_lab.workload.scenarios import SCENARIOS, Scenario
from wallet_lab.workload.series import audit, prepare
from wallet_lab.workload.verdict import first_violation, passed

PROBE_S = 3.0
RESOLUTION = 1.08
START_PER_S = 500.0
LONE_S = 2.0
EACH_S = 180.0
"""Estimated seconds for one architecture: two starts, the blocks and two searches."""
_LONE = replace(SCENARIOS["hot-pair"], name=LONE, clients=1, duration_s=LONE_S)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two stacks of the same architecture. Both get their loads in the same way, so that neither pays more."""

    entry: Entry
    evidence: duckdb.DuckDBPyConnection
    folder: Path
    """For the files of k6."""
    loads: list[Load] = field(default_factory=list)

    def load(self, scenario: Scenario) -> tuple[list[Call], int]:
        """Run a load; returns its transfers, and the number of arrivals that found no free client."""
        load = run_k6(scenario, self.entry, run=uuid.uuid4().hex[:12], folder=self.folder)
        self.loads.append(load)
        return record_of(load, self.evidence), load.summary.dropped_iterations


def compare_with(
    other: Other,
    stack: RunningStack,
    findings: Findings,
    watch: Watch,
    *,
    blocks: int,
    has_capacity: bool,
) -> None:
    """Measure single transfers of both stacks in turn, and add them to the findings.

    The books of this checkout's stack are audited against all calls, those of the other stack by its own lab.
    `has_capacity`: whether to search the capacity of both, too.
    """
    name = stack.architecture
    widest = probe_load(START_PER_S, PROBE_S, 1)
    watch(f"{name}: opening the wallets of the other checkout", EACH_S / 3)
    other.open_wallets(widest)
    evidence = prepare(stack, widest)
    with TemporaryDirectory(prefix="wallet-against-") as place, opened() as calls_of_other:
        own = Side(entry(stack, other.route), evidence.database, Path(place))
        sides = {name: own, earlier(name): Side(other.entry, calls_of_other, Path(place))}
        watch(f"{name}: single transfers", EACH_S / 3)
        runs = [run for block in range(1, blocks + 1) for run in _lone(sides, stack, block)]
        watch(f"{name}: capacity", EACH_S / 3)
        probes = _probes(sides) if has_capacity else {}
    settled_s = asyncio.run(wait_for_quiescence(stack))
    audits = {name: audit(stack, evidence, own.loads, settled_s), earlier(name): other.audit()}
    findings.runs += [judged(run, audits[run.architecture]) for run in runs]
    findings.capacities += [_capacity(each, found, audits[each]) for each, found in probes.items()]


def _lone(sides: Mapping[str, Side], stack: RunningStack, block: int) -> list[Run]:
    """Run single transfers on both stacks, in random order."""
    order = random.Random(f"{LONE} {block}").sample(sorted(sides), len(sides))
    return [_lone_run(name, sides[name], stack, block) for name in order]


def _lone_run(name: str, side: Side, stack: RunningStack, block: int) -> Run:
    """Run single transfers. The steal is that of the machine, whose counters `stack` reads for both sides."""
    started_at, before = datetime.now(UTC), look(stack)
    calls, _ = side.load(_LONE.seeded(block))
    steal_percent = between(before, look(stack)).steal_percent
    return Run(
        architecture=name,
        block=block,
        scenario=LONE,
        repeat=block,
        verdict="passed",
        started_at=started_at,
        duration_s=LONE_S,
        clients=1,
        outcomes=count(calls),
        steal_percent=steal_percent,
        latency_ms=latency([call.duration_ms for call in calls if call.kind == "success"]),
    )


def judged(run: Run, audit: Audit | None) -> Run:
    """Return the run with its audit. A failed audit removes the figures. Pure."""
    if passed(audit):
        return msgspec.structs.replace(run, audit=audit)
    return msgspec.structs.replace(
        run, audit=audit, verdict="failed", why=first_violation(audit), latency_ms=None
    )


def _probes(sides: Mapping[str, Side]) -> dict[str, list[Probe]]:
    """Search the capacity of both stacks, with one probe each in turn."""
    probes: dict[str, list[Probe]] = {name: [] for name in sides}
    while rates := {name: rate for name in sides if (rate := _next_rate(probes[name]))}:
        for name, rate in rates.items():
            load = probe_load(rate, PROBE_S, clients_for(rate))
            probes[name].append(probe(load.rate_per_s or 0.0, *sides[name].load(load)))
    return probes


def _next_rate(probes: list[Probe]) -> float | None:
    return next_rate(probes, START_PER_S, RESOLUTION)


def _capacity(name: str, probes: list[Probe], audit: Audit | None) -> Capacity:
    is_passed = passed(audit)
    return Capacity(
        architecture=name,
        repeat=1,
        verdict="passed" if is_passed else "failed",
        why=first_violation(audit),
        rates_per_s=rates_per_s(probes) if is_passed else {},
        probes=probes if is_passed else [],
        audit=audit,
    )
