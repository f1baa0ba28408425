"""Writes the part of docs/choose.md that holds figures, from a report. Pure, except for `update`."""

from pathlib import Path

from wallet_lab.errors import LabError
from wallet_lab.report.capacity_model import ASSUMPTIONS, costs_of_all, first_limits, needs_table
from wallet_lab.report.decisions import Decision, decisions
from wallet_lab.report.model import Report
from wallet_lab.report.proof import proof
from wallet_lab.report.table import Table

BEGIN = "<!-- begin: written by `./lab report docs/results`, do not edit -->"
END = "<!-- end -->"
_MODEL = (
    "The table is computed from the measured CPU time per transfer ([costs](results/report.html#capacity-model)).\n"
    "The last column lists each component that the design has only once, and how many of it the rate would need."
)


def with_decisions(page: str, report: Report) -> str:
    """Return the page with the decisions of the report between its markers.

    Raises:
        LabError: the page lacks a marker.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise LabError(f"docs/choose.md lacks the line '{END if begin else BEGIN}'. Restore it from Git.")
    return f"{before}{BEGIN}\n\n{_text(report)}\n{END}{after}"


def _text(report: Report) -> str:
    machine = report.machine
    found = decisions(report)
    lines = [_line(line) for line in found] or ["- The report has too few figures for a decision."]
    return (
        f"`{report.command}` measured these on {report.started_at:%Y-%m-%d}, on {machine.cores} cores "
        f"({machine.cpu}).\n{proof(report)}\n\n" + "\n".join(lines) + f"\n{_capacity_model(report)}"
    )


def _capacity_model(report: Report) -> str:
    """Return the section of the capacity model; empty if the report lacks the costs."""
    costs = costs_of_all(report)
    table = needs_table(costs)
    if not table.rows:
        return ""
    assumed = "\n".join(f"- {sentence}" for sentence in ASSUMPTIONS)
    limits = "\n".join(f"- {sentence}" for sentence in first_limits(costs))
    return (
        f"\n### Capacity model\n\n{_MODEL}\n\n{_markdown(table)}\n\n{limits}\n\nAssumptions:\n\n{assumed}\n"
    )


def _markdown(table: Table) -> str:
    lines = [table.headings, ("---",) * len(table.headings), *table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _line(decision: Decision) -> str:
    return f"- {decision.in_words} ([figure](results/report.html#{decision.anchor}))"


def update(page: Path, report: Report) -> None:
    """Write the decisions into the page."""
    page.write_text(with_decisions(page.read_text(), report))
