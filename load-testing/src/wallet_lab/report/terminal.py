"""Prints the decision table in the terminal."""

from rich.console import Console
from rich.table import Table

from wallet_lab.report.decisions import decisions
from wallet_lab.report.model import Report
from wallet_lab.report.proof import proof

_NARROW = 100
"""On a terminal with fewer columns, each decision is a sentence, because a table would break every word."""


def print_decisions(report: Report, console: Console) -> None:
    """Print which architecture to choose for which need, by how much, and how sure that is."""
    console.print(proof(report), markup=False)
    found = decisions(report)
    if not found:
        console.print("The report has too few figures for a decision.")
        return
    if console.width < _NARROW:
        for line in found:
            console.print(f"- {line.in_words}", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, ratio in (("if …", 4), ("choose", 2), ("by how much", 3), ("how sure", 3)):
        table.add_column(heading, ratio=ratio, overflow="fold")
    for line in found:
        table.add_row(line.need, line.answer, line.by, line.sure)
    console.print(table, soft_wrap=False)
