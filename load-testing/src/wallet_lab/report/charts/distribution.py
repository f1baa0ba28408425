"""A figure of the latency distribution, the slowest calls included, which medians hide."""

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import LineStyle, colour, legend, new_figure, plain_log
from wallet_lab.report.model import Report
from wallet_lab.report.selection import architectures, is_step, runs_of, scenarios
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number

PER_ROW = 3
_SHARES = (0.5, 0.9, 0.99, 0.999)

Curve = list[tuple[float, float]]
"""Pairs (share of the calls, ms within which this share was answered), rising."""


def latency_distribution(report: Report) -> Exhibit | None:
    """Draw a panel per scenario and a line per repeat, on axes that show the slowest calls in detail."""
    names = architectures(report)
    curves = {scenario: _curves(report, names, scenario) for scenario in scenarios(report)}
    curves = {scenario: found for scenario, found in curves.items() if found}
    if not curves:
        return None
    rows = -(-len(curves) // PER_ROW)
    figure, panels = new_figure(0.6 + 2.4 * rows, rows, PER_ROW, share_y=True)
    for axes, (scenario, found) in zip(panels, curves.items(), strict=False):
        axes.set_title(scenario)
        for name, curve in found:
            draw_curve(axes, curve, colour(name))
        dress(axes)
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    for axes in panels[::PER_ROW]:
        axes.set_ylabel("ms (logarithmic)")
    figure.supxlabel("share of the calls that were answered within", fontsize=9.5)
    legend(figure, names)
    return Exhibit(
        name="latency-distribution",
        title="Latency distribution",
        caption="One line per repeat: the closer the lines are, the more certain the result is. The slowest calls are "
        "on the right: at 99.9 %, one call in a thousand takes longer than the line shows.",
        alt=f"Latency by share of calls, both axes logarithmic, in {len(curves)} panels, one per scenario.",
        figure=figure,
        table=_table(curves),
    )


def _curves(report: Report, names: list[str], scenario: str) -> list[tuple[str, Curve]]:
    return [
        (name, run.latency_ms.distribution)
        for name in names
        for run in runs_of(report, name, scenario)
        if run.latency_ms and run.latency_ms.distribution and not is_step(run)
    ]


def draw_curve(axes: Axes, curve: Curve, line_colour: str, style: LineStyle = "-") -> None:
    """Draw milliseconds over the share of the calls. The slowest call of all is not on this axis."""
    inside = [(1 / (1 - share), ms) for share, ms in curve if share < 1 and ms > 0]
    axes.plot(*zip(*inside, strict=True), color=line_colour, linestyle=style, linewidth=1.2, alpha=0.8)


def dress(axes: Axes) -> None:
    """Set ticks at 50, 90, 99 and 99.9 %."""
    axes.set_xscale("log")
    axes.set_xlim(1, 2000)
    axes.xaxis.set_major_locator(FixedLocator([1 / (1 - share) for share in _SHARES]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{share * 100:g} %" for share in _SHARES])
    plain_log(axes, "y")


def at_share(curve: Curve, share: float) -> float | None:
    """Return the time within which this share of the calls was answered, if the curve covers it."""
    return next((ms for known, ms in curve if known >= share), None)


def _table(curves: dict[str, list[tuple[str, Curve]]]) -> Table:
    headings = (
        "scenario",
        "architecture",
        *(f"{share * 100:g} % within, ms" for share in _SHARES),
        "slowest, ms",
    )
    rows = [
        (scenario, name, *(number(at_share(curve, share)) for share in (*_SHARES, 1.0)))
        for scenario, found in curves.items()
        for name, curve in found
    ]
    return Table(headings, rows)
