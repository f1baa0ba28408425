"""The main results as sentences, computed from the report."""

from wallet_lab.report.conclusions import (
    Conclusion,
    delay_conclusions,
    load_conclusions,
    recovery_conclusions,
)
from wallet_lab.report.model import Report
from wallet_lab.report.selection import CPU, DISK, LATENCY, THROUGHPUT, architectures, audited
from wallet_lab.report.wording import number, times

_TOPICS = {
    THROUGHPUT.name: "Throughput",
    LATENCY.name: "Latency (95 % of the calls)",
    CPU.name: "Server CPU per call",
    DISK.name: "Bytes written to disk per call",
}


def headlines(report: Report) -> list[str]:
    """Return one sentence per topic; a topic without measurements has none."""
    loads = load_conclusions(report)
    recoveries = {hit: row["first_success_s"] for hit, row in recovery_conclusions(report).items()}
    sentences = [
        _audits(report),
        *(
            _tally(report, topic, "scenario", {place: row[name] for place, row in loads.items()})
            for name, topic in _TOPICS.items()
        ),
        _tally(report, "Consistency delay (median)", "load", delay_conclusions(report)),
        _tally(report, "First success after a fault", "fault", recoveries),
        _ceiling(report),
    ]
    return [sentence for sentence in sentences if sentence]


def _audits(report: Report) -> str:
    found = [each.audit for each in audited(report) if each.audit]
    failed = sum(not audit.passed for audit in found)
    if not found:
        return "No run was audited."
    if failed:
        return f"{failed} of {len(found)} audits failed. Their figures are withheld and do not count below."
    return f"All {len(found)} audits passed: no run lost, created or duplicated money."


def _tally(report: Report, topic: str, unit: str, conclusions: dict[str, Conclusion]) -> str:
    compared = {name: conclusion for name, conclusion in conclusions.items() if len(conclusion.estimates) > 1}
    if not compared:
        return ""
    parts = [_ahead(name, compared) for name in architectures(report)]
    undecided = sum(conclusion.ahead is None for conclusion in compared.values())
    parts.append(f"no clear difference in {undecided}" if undecided else "")
    many = f"{len(compared)} {unit}s" if len(compared) > 1 else f"one {unit}"
    return f"{topic}, {many}: {'; '.join(part for part in parts if part)}."


def _ahead(name: str, conclusions: dict[str, Conclusion]) -> str:
    won = {place: conclusion for place, conclusion in conclusions.items() if conclusion.ahead == name}
    if not won:
        return ""
    known = [(conclusion.ratio.median, place) for place, conclusion in won.items() if conclusion.ratio]
    most = f" (most in {max(known)[1]}: {times(won[max(known)[1]].ratio)})" if known else ""
    return f"{name} is ahead in {len(won)}{most}"


def _ceiling(report: Report) -> str:
    shares = [f"{name} {number(100 * share)} %" for name, share in report.ratios.noop.items()]
    if not shares:
        return ""
    return f"Share of the throughput of noop, which answers the same HTTP calls without work: {', '.join(shares)}."
