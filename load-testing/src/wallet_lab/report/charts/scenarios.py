"""Figures of throughput and latency by scenario, with intervals over the repeats."""

from matplotlib.axes import Axes

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import (
    FAINT,
    colour,
    error_bar,
    legend,
    marker,
    new_figure,
    plain_log,
)
from wallet_lab.report.model import Report
from wallet_lab.report.selection import (
    CEILING,
    LATENCY,
    THROUGHPUT,
    Measure,
    architectures,
    missing,
    runs_of,
    scenarios,
    settled,
)
from wallet_lab.report.statistics import Estimate
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number, with_interval

_P50 = Measure("Latency, median", "ms", "less", lambda run: run.latency_ms.p50 if run.latency_ms else None)
_P99 = Measure("Latency, 99 %", "ms", "less", lambda run: run.latency_ms.p99 if run.latency_ms else None)


def throughput(report: Report) -> Exhibit | None:
    """Draw bars with the interval of the median; a failed audit shows words instead of a bar."""
    names = with_ceiling(report)
    rows = rows_with(report, names, THROUGHPUT)
    if not rows:
        return None
    figure, (axes,) = new_figure(0.9 + 0.58 * len(rows))
    draw_throughput(axes, report, names, rows)
    legend(figure, names)
    return Exhibit(
        name="throughput",
        title="Throughput by scenario",
        caption="More is better. Bars are medians over the repeats, whiskers their interval. Scenarios with a fixed "
        "arrival rate are in the sweep.",
        alt=f"Bar chart of acknowledged calls per second in {len(rows)} scenarios for {', '.join(names)}.",
        figure=figure,
        table=_table(report, names, rows, THROUGHPUT),
    )


def draw_throughput(axes: Axes, report: Report, names: list[str], rows: list[str]) -> None:
    """Draw one group of bars per scenario, the first on top."""
    for row, scenario in enumerate(rows):
        shown = [name for name in names if runs_of(report, name, scenario)]
        height = 0.8 / len(shown)
        for place, name in enumerate(shown):
            y = row - 0.4 + height * (place + 0.5)
            if found := settled(report, name, scenario, THROUGHPUT):
                _bar(axes, name, y, height, found)
            else:
                _say_missing(axes, report, name, scenario, y)
    _label_rows(axes, rows)
    axes.set_xlim(left=0)
    axes.set_xlabel("acknowledged per second")


def _bar(axes: Axes, name: str, y: float, height: float, found: Estimate) -> None:
    axes.barh(y, found.median, height * 0.92, color=colour(name))
    axes.errorbar(found.median, y, xerr=error_bar(found), color="#111111", capsize=2.5, linewidth=1)
    axes.annotate(
        number(found.median), (found.high, y), (5, 0), textcoords="offset points", va="center", fontsize=8.5
    )


def _say_missing(axes: Axes, report: Report, name: str, scenario: str, y: float) -> None:
    """Write "withheld" or "not run" in place of the figure; the page gives the reason."""
    if why := missing(runs_of(report, name, scenario)):
        text = f" {name} {why.partition(':')[0]}"
        axes.text(0, y, text, transform=axes.get_yaxis_transform(), va="center", color=FAINT, style="italic")


def latency(report: Report) -> Exhibit | None:
    """Draw the range from the median to 99 %, with a mark at 95 % and its interval."""
    names = architectures(report)
    rows = rows_with(report, names, LATENCY)
    if not rows:
        return None
    figure, (axes,) = new_figure(0.9 + 0.24 * len(names) * len(rows))
    for row, scenario in enumerate(rows):
        for place, name in enumerate(names):
            _range(axes, report, name, scenario, row - 0.2 + 0.4 * place / max(1, len(names) - 1))
    _label_rows(axes, rows)
    plain_log(axes, "x")
    axes.set_xlabel(
        "ms from request to response (logarithmic): line from 50 % to 99 % of the calls, mark at 95 %"
    )
    legend(figure, names)
    return Exhibit(
        name="latency",
        title="Latency by scenario",
        caption="Less is better. The thin line runs from the median to the 99th percentile. The mark is the 95th "
        "percentile; its thick line is the interval over the repeats.",
        alt=f"Latency ranges on a logarithmic axis in {len(rows)} scenarios for {', '.join(names)}.",
        figure=figure,
        table=_table(report, names, rows, _P50, LATENCY, _P99),
    )


def _range(axes: Axes, report: Report, name: str, scenario: str, y: float) -> None:
    low, mark, high = (settled(report, name, scenario, measure) for measure in (_P50, LATENCY, _P99))
    if low is None or mark is None or high is None:
        _say_missing(axes, report, name, scenario, y)
        return
    axes.plot([low.median, high.median], [y, y], color=colour(name), linewidth=1.2, alpha=0.7)
    axes.plot([mark.low, mark.high], [y, y], color=colour(name), linewidth=4, alpha=0.5)
    axes.plot(mark.median, y, marker(name), color=colour(name), markersize=6)


def with_ceiling(report: Report) -> list[str]:
    """Return the architectures, and the control if it was run."""
    has_ceiling = any(run.architecture == CEILING and run.verdict == "passed" for run in report.runs)
    return [*architectures(report), *([CEILING] if has_ceiling else [])]


def rows_with(report: Report, names: list[str], measure: Measure) -> list[str]:
    """Return the scenarios that have a figure, or a reason for its absence."""
    return [
        scenario
        for scenario in scenarios(report)
        if any(
            settled(report, name, scenario, measure) or missing(runs_of(report, name, scenario))
            for name in names
        )
    ]


def _label_rows(axes: Axes, rows: list[str]) -> None:
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _table(report: Report, names: list[str], rows: list[str], *measures: Measure) -> Table:
    headings = tuple(
        f"{name}: {measure.name.lower()}, {measure.unit}" for measure in measures for name in names
    )
    body = [
        (scenario, *(_cell(report, name, scenario, measure) for measure in measures for name in names))
        for scenario in rows
    ]
    return Table(("scenario", *headings), body)


def _cell(report: Report, name: str, scenario: str, measure: Measure) -> str:
    why = missing(runs_of(report, name, scenario))
    return why or with_interval(settled(report, name, scenario, measure))
