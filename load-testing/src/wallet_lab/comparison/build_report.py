"""Builds the report from the findings. Pure."""

from datetime import datetime
from statistics import median

from wallet_lab import architectures
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import WHAT_THEY_ARE
from wallet_lab.report.model import (
    HALF_CAPACITY,
    Capacity,
    FaultRun,
    Machine,
    Ratios,
    Report,
    Run,
    Sustained,
)
from wallet_lab.report.selection import CEILING
from wallet_lab.report.wording import NOT_MEASURED, TITLE

Part = Run | Capacity | Sustained | FaultRun
"""The parts of a report that have a verdict."""

STOLEN_PERCENT = 5.0
"""If other machines on the same host took more than this share of CPU time, the report says so."""


def build_report(
    findings: Findings,
    *,
    command: str,
    started_at: datetime,
    finished_at: datetime,
    complete: bool,
    machine: Machine,
    versions: dict[str, str],
) -> Report:
    """Build the report from the findings."""
    return Report(
        title=TITLE,
        started_at=started_at,
        finished_at=finished_at,
        complete=complete,
        command=command,
        machine=machine,
        versions=versions,
        scenarios=WHAT_THEY_ARE,
        runs=findings.runs,
        consistency_delay_ms=findings.delays,
        recovery=[],
        capacities=findings.capacities,
        sustained=findings.sustained,
        faults=findings.faults,
        sizes=findings.sizes,
        repeated_blocks=findings.repeated_blocks,
        unsteady_blocks=findings.unsteady_blocks,
        idle_cpu_percent=findings.idle_cpu_percent,
        properties={name: list(offered) for name in _names(findings.runs) if (offered := _properties(name))},
        ratios=ratios(findings.runs),
        not_measured=_not_measured(findings),
    )


def _properties(name: str) -> tuple[str, ...]:
    return next((each.properties for each in architectures.every() if each.name == name), ())


def ratios(runs: list[Run]) -> Ratios:
    """Return ratios of medians: best transfer rate over that of the control, and hot pair over 1000 wallets."""
    best = {name: max(_medians(runs, name).values(), default=0.0) for name in _names(runs)}
    ceiling = best.pop(CEILING, 0.0)
    return Ratios(
        noop={name: rate / ceiling for name, rate in best.items() if rate and ceiling},
        hot_over_uniform={
            name: medians["hot-pair"] / medians["uniform-1k"]
            for name in best
            if (medians := _medians(runs, name)).keys() >= {"hot-pair", "uniform-1k"}
        },
    )


def _names(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(run.architecture for run in runs))


def _medians(runs: list[Run], architecture: str) -> dict[str, float]:
    """Return transfers per second by scenario, for closed loops of transfers only."""
    rates: dict[str, list[float]] = {}
    for run in runs:
        is_other = (
            run.offered_per_s is not None or run.paced or run.scenario in {"reads", "mixed", HALF_CAPACITY}
        )
        is_first = run.route == "direct" and not run.again
        if run.architecture == architecture and run.acked_per_s and is_first and not is_other:
            rates.setdefault(run.scenario, []).append(run.acked_per_s)
    return {scenario: median(found) for scenario, found in rates.items()}


def _not_measured(findings: Findings) -> list[str]:
    sentences = [*NOT_MEASURED, *findings.not_run]
    if not findings.client_cores:
        sentences.append(
            "Clients on other cores: this machine has too few cores for that, so k6 shared the cores of the servers."
        )
    if unsteady := sum(findings.unsteady_blocks.values()):
        sentences.append(
            f"A steady machine: in {unsteady} blocks, the speed of the control changed by more than 10 %, also when "
            "they were measured again."
        )
    stolen = max((run.steal_percent or 0 for run in findings.runs), default=0)
    if stolen > STOLEN_PERCENT:
        sentences.append(
            f"A quiet machine: other machines on this host took up to {stolen:.0f} % of the processor time."
        )
    if not any(run.network_bytes_per_transfer for run in findings.runs):
        sentences.append("Bytes on the network: the lab does not measure the networks of containers.")
    if findings.faults and not any(run.action == "cut" for run in findings.faults):
        sentences.append(
            "Network cuts: processes share the machine's network. `--on docker` cuts containers off."
        )
    return sentences


def exit_code(findings: Findings) -> int:
    """Return 0 if everything that was planned ran and passed its audit, and there was an audit; else 1."""
    found = _parts(findings)
    all_passed = all(part.verdict == "passed" for _, part in found) and not findings.not_run
    return 0 if all_passed and any(part.audit for _, part in found) else 1


def failures(findings: Findings) -> list[str]:
    """Return a sentence for each architecture and part that did not run or failed its audit, each reason once."""
    found = [
        f"{part.architecture}, {name}: {part.verdict}. {part.why}"
        for name, part in _parts(findings)
        if part.verdict != "passed"
    ]
    return list(dict.fromkeys([*found, *findings.not_run]))


def _parts(findings: Findings) -> list[tuple[str, Part]]:
    """Return everything that has a verdict, each with its name."""
    return [
        *((run.scenario, run) for run in findings.runs),
        *(("capacity", each) for each in findings.capacities),
        *(("sustained", each) for each in findings.sustained),
        *((each.fault, each) for each in findings.faults),
    ]
