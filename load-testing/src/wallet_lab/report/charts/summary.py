"""One summary picture: the most important figure of the decision table, and the results of the audits."""

from textwrap import wrap

from matplotlib.figure import Figure

from wallet_lab.report import quantities as of
from wallet_lab.report.charts.strips import draw_strips
from wallet_lab.report.charts.style import WIDE_IN
from wallet_lab.report.model import Report
from wallet_lab.report.proof import proof
from wallet_lab.report.wording import number

LINE_CHARACTERS = 110
"""The characters of a line below the picture."""
LINE_IN = 0.15


def summary(report: Report) -> Figure | None:
    """Draw the capacity within a limit of latency; without it, the throughput."""
    throughput = [each for each in of.of_loads(report, of.THROUGHPUT) if each.is_contest]
    shown = of.of_capacities(report) or throughput
    if not shown:
        return None
    lines = [shown[0].unit, "", *wrap(proof(report), LINE_CHARACTERS), machine_line(report)]
    return draw_strips(shown, "\n".join(lines), WIDE_IN, extra_in=LINE_IN * len(lines))


def machine_line(report: Report) -> str:
    """Describe the machine and the date."""
    machine = report.machine
    when = report.started_at.date().isoformat()
    return f"{machine.cpu}, {machine.cores} cores, {number(machine.memory_mib / 1024)} GiB · {when}"
