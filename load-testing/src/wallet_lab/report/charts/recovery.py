"""A figure of the clients' view before, during and after a fault."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import FAINT, LineStyle, colour, new_figure
from wallet_lab.report.model import Recovery, Report
from wallet_lab.report.statistics import estimate
from wallet_lab.report.table import Table
from wallet_lab.report.wording import MOMENTS, number, with_interval

UNKNOWN = "#CC79A7"
REJECTED = "#F0E442"
STYLES: dict[str, LineStyle] = {
    "detected_s": ":",
    "first_success_s": "-",
    "drained_s": "-.",
    "converged_s": "--",
}
PER_ROW = 2


def recovery(report: Report) -> Exhibit | None:
    """Draw one panel per fault with its first repeat; the table has the medians of all repeats."""
    shown = list({(r.architecture, r.fault): r for r in reversed(report.recovery)}.values())[::-1]
    shown = [each for each in shown if each.timeline]
    if not shown:
        return None
    rows = -(-len(shown) // PER_ROW)
    figure, panels = new_figure(0.7 + 1.9 * rows, rows, PER_ROW, share_x=True)
    for axes, each in zip(panels, shown, strict=False):
        _timeline(axes, each)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    figure.supxlabel("seconds since the fault", fontsize=9.5)
    figure.supylabel("calls per second", fontsize=9.5)
    _legend(figure)
    return Exhibit(
        name="recovery",
        title="Faults under load",
        caption="The line shows acknowledged calls. Coloured areas show calls that were rejected or whose outcome the "
        "client cannot know. Vertical lines mark the moments of recovery. Only the first repeat is drawn.",
        alt=f"{len(shown)} timelines of acknowledged, rejected and unknown calls around a fault, one per fault.",
        figure=figure,
        table=_table(report.recovery),
    )


def _timeline(axes: Axes, each: Recovery) -> None:
    seconds = each.timeline[1:-1]  # the load begins and ends within these two bins, so they are incomplete
    at = [second.at_s for second in seconds]
    axes.set_title(f"{each.architecture}: {each.fault}", color=colour(each.architecture))
    areas = [[s.rejected_per_s for s in seconds], [s.unknown_per_s for s in seconds]]
    axes.stackplot(at, *areas, colors=[REJECTED, UNKNOWN], alpha=0.8, linewidth=0, step="post")
    axes.plot(
        at,
        [s.acked_per_s for s in seconds],
        color=colour(each.architecture),
        linewidth=1.6,
        drawstyle="steps-post",
    )
    axes.axvline(0, color="#111111", linewidth=1.4)
    for name, style in STYLES.items():
        if (moment := getattr(each, name)) is not None:
            axes.axvline(moment, color=FAINT, linestyle=style, linewidth=1.1)
    axes.set_ylim(bottom=0)
    axes.margins(x=0)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color="#111111", linewidth=1.4, label="fault"),
        *(
            Line2D([], [], color=FAINT, linestyle=style, label=MOMENTS[name])
            for name, style in STYLES.items()
        ),
        Patch(color=REJECTED, label="rejected"),
        Patch(color=UNKNOWN, label="outcome unknown"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), fontsize=8.5)


def _table(recoveries: list[Recovery]) -> Table:
    groups: dict[tuple[str, str], list[Recovery]] = {}
    for each in recoveries:
        groups.setdefault((each.architecture, each.fault), []).append(each)
    headings = (
        "architecture",
        "fault",
        *(f"{words}, s" for words in MOMENTS.values()),
        "lost",
        "unknown",
        "audit",
    )
    return Table(headings, [(*group, *_row(found)) for group, found in groups.items()])


def _row(found: list[Recovery]) -> tuple[str, ...]:
    times = (
        with_interval(estimate([t for each in found if (t := getattr(each, name)) is not None]))
        for name in MOMENTS
    )
    lost = [each.lost for each in found if each.lost is not None]
    unknown = sum(each.outcomes.unknown for each in found)
    bad = [f"{each.verdict}: {each.why}" for each in found if each.verdict != "passed"]
    return (*times, number(sum(lost) if lost else None), number(unknown), "; ".join(bad) or "passed")
