"""One summary picture: throughput by scenario, and the results of the audits."""

from matplotlib.figure import Figure

from wallet_lab.report.charts.scenarios import draw_throughput, rows_with, with_ceiling
from wallet_lab.report.charts.style import legend, new_figure
from wallet_lab.report.model import Report
from wallet_lab.report.selection import THROUGHPUT, architectures, audited
from wallet_lab.report.wording import number


def summary(report: Report) -> Figure | None:
    """Draw the throughput with intervals, and below it the audits' results and the machine."""
    names = with_ceiling(report)
    rows = rows_with(report, names, THROUGHPUT)
    if not rows:
        return None
    figure, (axes,) = new_figure(1.4 + 0.45 * len(rows))
    draw_throughput(axes, report, names, rows)
    legend(figure, names)
    axes.set_xlabel(f"acknowledged per second\n\n{audit_line(report)}\n{machine_line(report)}")
    return figure


def audit_line(report: Report) -> str:
    """Return the number of passed audits, by architecture."""
    return "   ".join(_audits_of(report, name) for name in architectures(report))


def _audits_of(report: Report, name: str) -> str:
    found = [each.audit for each in audited(report) if each.architecture == name and each.audit]
    passed = sum(audit.passed for audit in found)
    sign = "✓" if passed == len(found) else "✗"
    return f"{sign} {name}: money exact in {passed} of {len(found)} audited runs"


def machine_line(report: Report) -> str:
    """Describe the machine and the date."""
    machine = report.machine
    when = report.started_at.date().isoformat()
    return f"{machine.cpu}, {machine.cores} cores, {number(machine.memory_mib / 1024)} GiB · {when}"
