"""Figures of distributions: the slowest calls included, which a median hides."""

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.legends import name_lines
from wallet_lab.report.charts.style import colour, is_narrow, marker, new_figure, plain_log
from wallet_lab.report.model import Report
from wallet_lab.report.quantities import P99, of_loads, runs_of
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number, with_interval
from wallet_lab.statistics.summaries import Summary, quantile

Curve = Sequence[tuple[float, float]]
"""Pairs (share of the calls, ms within which this share was answered), rising."""
Curves = Mapping[tuple[str, str], Mapping[float, Summary]]
"""By load and architecture: the median over the blocks at each share."""
_SHARES = (0.5, 0.9, 0.99, 0.999)
_PER_ROW = 3


def latency_distribution(report: Report) -> Exhibit | None:
    """Draw the latency of the loads below saturation."""
    curves = {
        (each.scene, name): each_share(
            [r.latency_ms.distribution for r in runs_of(report, each, name) if r.latency_ms]
        )
        for each in of_loads(report, P99)
        for name, values in each.values.items()
        if values
    }
    return _exhibit(
        "latency-distribution", "Latency distribution", curves, "share of the calls that were answered within"
    )


def delay_distribution(report: Report) -> Exhibit | None:
    """Draw the time from a write's response until a read shows the write."""
    groups = dict.fromkeys((each.load, each.architecture) for each in report.consistency_delay_ms)
    curves = {
        group: each_share(
            [d.distribution for d in report.consistency_delay_ms if (d.load, d.architecture) == group]
        )
        for group in groups
    }
    return _exhibit(
        "delay-distribution",
        "Consistency delay, distribution",
        curves,
        "share of the writes that were visible within",
    )


def each_share(curves: Sequence[Curve]) -> dict[float, Summary]:
    """Return the median over the blocks at each share of the calls; a time of 0 has no place on the axis."""
    shares = sorted({share for curve in curves for share, _ in curve if share < 1})
    found = {
        share: quantile([ms for curve in curves for known, ms in curve if known == share and ms > 0])
        for share in shares
    }
    return {share: summary for share, summary in found.items() if summary}


def _exhibit(name: str, title: str, curves: Curves, x_label: str) -> Exhibit | None:
    curves = {group: curve for group, curve in curves.items() if curve}
    if not curves:
        return None
    return Exhibit(
        name=name,
        title=title,
        caption="Less is better. A line is the median over the blocks, its band the interval of that median. The "
        "slowest calls are on the right: at 99.9 %, one call in a thousand takes longer.",
        alt=f"{title}, both axes logarithmic. {_in_words(curves)}",
        draw=partial(_draw, curves, x_label),
        table=_table(curves),
    )


def _draw(curves: Curves, x_label: str, width_in: float) -> Figure:
    loads = list(dict.fromkeys(load for load, _ in curves))
    columns = 1 if is_narrow(width_in) else min(_PER_ROW, max(2, len(loads)))
    rows = -(-len(loads) // columns)
    figure, panels = new_figure(width_in, 0.8 + 2.5 * rows, rows, columns, share_y=True)
    every = [summary for curve in curves.values() for summary in curve.values()]
    low, high = min(each.low for each in every), max(each.high for each in every)
    for axes, load in zip(panels, loads, strict=False):
        axes.set_title(load)
        _dress(axes, low / 1.2, high * 1.2)
        for (where, name), curve in curves.items():
            if where == load:
                _line(axes, curve, name)
    for axes in panels[len(loads) :]:
        axes.set_axis_off()
    for axes in panels[::columns]:
        axes.set_ylabel("ms")
    figure.supxlabel(x_label, fontsize=9)
    name_lines(figure, [name for _, name in curves], width_in)
    return figure


def _line(axes: Axes, curve: Mapping[float, Summary], name: str) -> None:
    at = [1 / (1 - share) for share in curve]
    axes.fill_between(
        at,
        [s.low for s in curve.values()],
        [s.high for s in curve.values()],
        color=colour(name),
        alpha=0.2,
        lw=0,
    )
    axes.plot(at, [s.value for s in curve.values()], color=colour(name), lw=1.5, marker=marker(name), ms=3.5)


def _dress(axes: Axes, low: float, high: float) -> None:
    """Set ticks at 50, 90, 99 and 99.9 %."""
    plain_log(axes, "y", low, high)
    axes.set_xscale("log")
    axes.set_xlim(1, 1500)
    axes.xaxis.set_major_locator(FixedLocator([1 / (1 - share) for share in _SHARES]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{share * 100:g} %" for share in _SHARES])


def _at(curve: Mapping[float, Summary], share: float) -> Summary | None:
    return next((summary for known, summary in curve.items() if known >= share), None)


def _table(curves: Curves) -> Table:
    headings = ("load", "architecture", *(f"{share * 100:g} % within, ms" for share in _SHARES))
    rows = [
        (*group, *(with_interval(_at(curve, share)) for share in _SHARES)) for group, curve in curves.items()
    ]
    return Table(headings, rows)


def _in_words(curves: Curves) -> str:
    parts = [
        f"{load}, {name}: {' and '.join(_words(curve, share) for share in (0.5, 0.99))}"
        for (load, name), curve in curves.items()
    ]
    return "; ".join(parts)


def _words(curve: Mapping[float, Summary], share: float) -> str:
    found = _at(curve, share)
    return f"{share * 100:g} % within {number(found.value if found else None)} ms"
