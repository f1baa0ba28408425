"""A figure of the time from a write's response until a reader sees the write."""

from matplotlib.lines import Line2D

from wallet_lab.report.charts.distribution import draw_curve, dress
from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import LineStyle, colour, legend, new_figure
from wallet_lab.report.model import Delay, Report
from wallet_lab.report.statistics import estimate
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number, with_interval

_STYLES: tuple[LineStyle, ...] = ("-", "--", ":", "-.")


def delay(report: Report) -> Exhibit | None:
    """Draw one line per repeat: solid without load, dashed under load."""
    delays = report.consistency_delay_ms
    if not delays:
        return None
    loads = list(dict.fromkeys(each.load for each in delays))
    styles = {load: _STYLES[place % len(_STYLES)] for place, load in enumerate(loads)}
    figure, (axes,) = new_figure(3.9)
    for each in delays:
        if any(ms > 0 for _, ms in each.distribution):
            draw_curve(axes, each.distribution, colour(each.architecture), styles[each.load])
    dress(axes)
    axes.set_ylabel("ms (logarithmic)")
    axes.set_xlabel("share of the writes that were visible within")
    axes.legend(
        handles=[Line2D([], [], color="#333333", linestyle=s, label=load) for load, s in styles.items()]
    )
    legend(figure, list(dict.fromkeys(each.architecture for each in delays)))
    return Exhibit(
        name="consistency-delay",
        title="Consistency delay",
        caption="Less is better. Time from the response to a write until the client sends the first read that shows "
        "it. If the first read already shows the write, the time is close to zero.",
        alt="Consistency delay by share of writes, both axes logarithmic, by architecture and load.",
        figure=figure,
        table=_table(delays),
    )


def _table(delays: list[Delay]) -> Table:
    groups: dict[tuple[str, str], list[Delay]] = {}
    for each in delays:
        groups.setdefault((each.architecture, each.load), []).append(each)
    rows = [
        (
            *group,
            with_interval(estimate([each.p50 for each in found])),
            with_interval(estimate([each.p95 for each in found])),
            with_interval(estimate([each.p99 for each in found])),
            number(max(each.max for each in found)),
            number(sum(each.samples for each in found)),
        )
        for group, found in groups.items()
    ]
    return Table(("architecture", "load", "50 %, ms", "95 %, ms", "99 %, ms", "slowest, ms", "writes"), rows)
