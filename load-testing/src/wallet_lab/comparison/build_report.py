"""Builds the report from the findings. Pure."""

from datetime import datetime
from statistics import median

from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import WHAT_THEY_ARE
from wallet_lab.report.model import Machine, Ratios, Recovery, Report, Run
from wallet_lab.report.selection import CEILING, is_step
from wallet_lab.report.statistics import LIKELY_FROM
from wallet_lab.report.wording import NOT_MEASURED, TITLE

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
        recovery=findings.recoveries,
        ratios=ratios(findings.runs),
        not_measured=_not_measured(findings),
    )


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
        is_other = run.offered_per_s is not None or is_step(run) or run.scenario in {"reads", "mixed"}
        if run.architecture == architecture and run.acked_per_s and not is_other:
            rates.setdefault(run.scenario, []).append(run.acked_per_s)
    return {scenario: median(found) for scenario, found in rates.items()}


def _not_measured(findings: Findings) -> list[str]:
    sentences = list(NOT_MEASURED)
    if max((run.repeat for run in findings.runs), default=0) < LIKELY_FROM:
        sentences.append(f"Chance: with fewer than {LIKELY_FROM} repeats, every difference is only a hint.")
    stolen = max((run.steal_percent or 0 for run in findings.runs), default=0)
    if stolen > STOLEN_PERCENT:
        sentences.append(
            f"A quiet machine: other machines on this host took up to {stolen:.0f} % of the processor time."
        )
    if not any(run.network_bytes_per_transfer for run in findings.runs):
        sentences.append("Bytes on the network: the lab does not measure the networks of containers.")
    return sentences


def exit_code(findings: Findings) -> int:
    """Return 0 if there were audits and all passed, else 1."""
    everything: list[Run | Recovery] = [*findings.runs, *findings.recoveries]
    audits = [each.audit for each in everything if each.audit]
    return 0 if audits and all(audit.passed for audit in audits) else 1
