"""From what was found to the report. Pure."""

from datetime import datetime
from statistics import median

from wallet_lab.compare.findings import Findings
from wallet_lab.compare.plan import WHAT_THEY_ARE
from wallet_lab.report.model import Machine, Ratios, Recovery, Report, Run
from wallet_lab.report.selection import CEILING, is_step
from wallet_lab.report.statistics import LIKELY_FROM

TITLE = "Saga and event-driven CQRS, compared"

STOLEN_PERCENT = 5.0
"""More than this, taken by other machines on the same host, is worth a reader's knowing."""

NOT_MEASURED = (
    "Several machines: everything, k6 too, ran on this one and shared its cores; the services use as many as they get.",
    "Faults of the network and the disk, and the loss of power: components were killed, the machine was not.",
    "Hours: caches, tables and logs are as small as minutes make them.",
    "Equal failures: a worker of the saga and its database serve half the wallets, cqrs' event store serves all.",
)


def assemble(
    findings: Findings,
    *,
    command: str,
    started_at: datetime,
    finished_at: datetime,
    complete: bool,
    machine: Machine,
    versions: dict[str, str],
) -> Report:
    """The report of what was found."""
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
    """Medians over repeats: the best transfer rate over that of noop, and the hot pair's over that of 1000 wallets."""
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
    """Transfers a second by scenario, of those that are nothing but transfers in a closed loop."""
    rates: dict[str, list[float]] = {}
    for run in runs:
        is_other = run.offered_per_s is not None or is_step(run) or run.scenario in {"reads", "mixed"}
        if run.architecture == architecture and run.acked_per_s and not is_other:
            rates.setdefault(run.scenario, []).append(run.acked_per_s)
    return {scenario: median(found) for scenario, found in rates.items()}


def _not_measured(findings: Findings) -> list[str]:
    sentences = list(NOT_MEASURED)
    if max((run.repeat for run in findings.runs), default=0) < LIKELY_FROM:
        sentences.append(
            f"Chance: with fewer than {LIKELY_FROM} repeats every difference is a hint, no more."
        )
    stolen = max((run.steal_percent or 0 for run in findings.runs), default=0)
    if stolen > STOLEN_PERCENT:
        sentences.append(
            f"Quiet: other machines on this host took up to {stolen:.0f} % of the processor time."
        )
    if not any(run.network_bytes_per_transfer for run in findings.runs):
        sentences.append("Bytes on the network: containers have networks of their own, which nobody counts.")
    return sentences


def exit_code(findings: Findings) -> int:
    """0 if there were audits and all passed."""
    everything: list[Run | Recovery] = [*findings.runs, *findings.recoveries]
    audits = [each.audit for each in everything if each.audit]
    return 0 if audits and all(audit.passed for audit in audits) else 1
