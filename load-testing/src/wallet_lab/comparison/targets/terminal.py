"""Prints the target table and the capacity model in the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Drawn

from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.targets.parts import SHARDS
from wallet_lab.comparison.targets.results import Result, conditions, table
from wallet_lab.report.capacity_model import costs_of, first_limits, needs_table
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number

MODEL_LOAD = "uniform-1k-200"
"""The load whose costs the capacity model uses: the one with the largest batches."""
SHARDS_ROW = "cpu-shards-equal-each"


def print_results(found: Sequence[Result], findings: Findings, console: Console) -> None:
    """Print the verdicts, the conditions of the measurement, and what follows for larger rates."""
    _print(table(found), console)
    for sentence in conditions(findings):
        console.print(sentence, markup=False)
    costs = {
        name: costs_of(findings.runs, name, MODEL_LOAD)
        for name in dict.fromkeys(each.architecture for each in found)
    }
    if any(costs.values()):
        _print(needs_table(costs), console)
        for sentence in (*first_limits(costs), *_check(found)):
            console.print(sentence, markup=False)


def _check(found: Sequence[Result]) -> list[str]:
    """Compare the model's assumption about shards with the measurement, if there is one."""
    _, many = SHARDS
    return [
        f"{each.architecture}: the model assumes that more shards do not change the CPU time of a transfer. "
        f"Measured with {many} shards: {number(each.measured)} times that of one."
        for each in found
        if each.key == SHARDS_ROW and each.measured is not None
    ]


def _print(content: Table, console: Console) -> None:
    drawn = Drawn(box=None, pad_edge=False, header_style="bold")
    for heading in content.headings:
        drawn.add_column(heading, overflow="fold")
    for row in content.rows:
        drawn.add_row(*row)
    console.print(drawn, soft_wrap=False)
    console.print()
