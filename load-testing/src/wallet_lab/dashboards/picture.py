"""Draws a dashboard from Prometheus' data, for documents and machines without Grafana.

`python -m wallet_lab.dashboards.picture http://127.0.0.1:9095 wallet-comparison 90 picture.png` draws 90 s of it.
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, Formatter, PercentFormatter

from wallet_lab.dashboards.catalogue import DASHBOARDS
from wallet_lab.dashboards.panel import Dashboard, Panel, Query, Unit
from wallet_lab.report.charts.style import colour, styled

RATE_INTERVAL = "20s"
"""Grafana's value for `$__rate_interval`: four scrapes."""
COLUMNS = 3
PANEL_INCHES = (4.4, 2.5)

_UNITS: dict[Unit, Formatter] = {
    "s": EngFormatter("s", places=0, sep="\N{THIN SPACE}"),
    "ms": EngFormatter("ms", places=0),
    "bytes": EngFormatter("B", places=0),
    "percentunit": PercentFormatter(1.0),
}


def draw(dashboard: Dashboard, prometheus_url: str, seconds: float) -> Figure:
    """Draw every panel over the last seconds; a panel without metrics stays empty."""
    rows = -(-len(dashboard.panels) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1]), layout="constrained")
    figure.suptitle(dashboard.title, x=0.01, ha="left", weight="bold")
    figure.supxlabel("seconds")
    for panel, axes in zip(dashboard.panels, figure.subplots(rows, COLUMNS).flat, strict=False):
        _draw_panel(panel, axes, prometheus_url, seconds)
    for axes in figure.axes[len(dashboard.panels) :]:
        axes.remove()
    return figure


def _draw_panel(panel: Panel, axes: Axes, prometheus_url: str, seconds: float) -> None:
    axes.set_title(panel.title)
    for query, style in zip(panel.queries, ("-", ":", "--"), strict=False):
        for labels, points in _series(query, prometheus_url, seconds):
            of = labels.get("architecture", "")
            axes.plot(
                *zip(*points, strict=True),
                style,
                color=colour(of) if of else None,
                label=_legend(query, labels),
            )
    axes.set_xlim(0, seconds)
    axes.set_ylim(0, None if axes.dataLim.ymax > 0 else 1)
    axes.yaxis.set_major_formatter(_UNITS.get(panel.unit, EngFormatter(places=0, sep="")))
    if axes.lines:
        axes.legend(fontsize=7, ncols=2)


def _legend(query: Query, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda named: labels.get(named[1], ""), query.legend)


def _series(
    query: Query, prometheus_url: str, seconds: float
) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
    """Return the labels and points of each series, in seconds from the start."""
    end = time.time()
    expr = query.expr.replace("$__rate_interval", RATE_INTERVAL)
    asked = urllib.parse.urlencode({"query": expr, "start": end - seconds, "end": end, "step": 1})
    with urllib.request.urlopen(f"{prometheus_url}/api/v1/query_range?{asked}") as answer:  # noqa: S310 -- as given
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return [
        (one["metric"], [(at - end + seconds, float(value)) for at, value in one["values"]]) for one in found
    ]


def main() -> None:
    """Draw the dashboard on the command line."""
    try:
        url, uid, seconds, file = sys.argv[1:]
        (dashboard,) = [dashboard for dashboard in DASHBOARDS if dashboard.uid == uid]
    except ValueError:
        sys.exit(__doc__)
    with styled():
        draw(dashboard, url, float(seconds)).savefig(file, dpi=80)


if __name__ == "__main__":
    main()
