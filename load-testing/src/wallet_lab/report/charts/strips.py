"""Figures of quantities: a row per architecture with every block as a point, the typical figure and its interval."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import FAINT, INK, PAPER, colour, marker, new_figure, plain_log
from wallet_lab.report.quantities import Quantity
from wallet_lab.report.selection import CEILING
from wallet_lab.report.table import Table
from wallet_lab.report.verdicts import Contests, ranking, summary
from wallet_lab.report.wording import NOTHING, ratio_in_words, typical, with_interval
from wallet_lab.statistics.summaries import Summary

ROW_IN = 0.2
WIDEST = 2.0
"""An interval is drawn up to this factor beyond the blocks."""
HEADING_IN = 0.26
_SPREAD = 0.5
"""The share of a row's height over which its points are spread, so that equal figures stay visible."""


@dataclass(frozen=True, slots=True)
class Row:
    """The place of one row: a heading, or one architecture below it."""

    y: float
    quantity: Quantity
    architecture: str | None


def strips(
    name: str, title: str, caption: str, quantities: Sequence[Quantity], contests: Contests
) -> Exhibit | None:
    """Draw quantities of one unit on one logarithmic axis; None if there are none."""
    if not quantities:
        return None
    unit = quantities[0].unit
    return Exhibit(
        name=name,
        title=title,
        caption=f"{'More' if quantities[0].better == 'more' else 'Less'} is better. {caption}",
        alt=f"{title}, {unit}, on a logarithmic axis. {_in_words(quantities)}",
        draw=partial(draw_strips, quantities, unit),
        table=comparison_table(quantities, contests),
    )


def draw_strips(quantities: Sequence[Quantity], unit: str, width_in: float, extra_in: float = 0.0) -> Figure:
    """Draw one group of rows per quantity; `extra_in` is the height for more lines of the axis label."""
    rows = list(_rows(quantities))
    figure, (axes,) = new_figure(width_in, 0.75 + extra_in + rows[-1].y + ROW_IN)
    low, high = _limits(quantities)
    plain_log(axes, "x", low, high)
    for row in rows:
        _draw_row(axes, row)
    dress_rows(axes, rows)
    axes.set_xlabel(unit)
    return figure


def _rows(quantities: Sequence[Quantity]) -> Iterator[Row]:
    """Yield the rows from top to bottom; the places are in inches."""
    y = 0.0
    for each in quantities:
        yield Row(y, each, None)
        y += HEADING_IN
        for name in dict.fromkeys((*each.values, *each.withheld)):
            if each.values.get(name) or name in each.withheld:
                yield Row(y, each, name)
                y += ROW_IN
        y += ROW_IN / 3


def _limits(quantities: Sequence[Quantity]) -> tuple[float, float]:
    values = [
        max(value, each.floor or value)
        for each in quantities
        for row in each.values.values()
        for value in row.values()
        if value is not None and (value > 0 or each.floor)
    ] or [1.0]
    ends = [*values, *(end for each in quantities for end in _ends(each))]
    return min(ends) / 1.15, max(ends) * 1.15


def _ends(quantity: Quantity) -> Iterator[float]:
    """Yield the ends of the intervals; an interval of few blocks may be too wide for the axis, so it is cut."""
    floor = quantity.floor or 0.0
    for name, values in quantity.values.items():
        known = [value for value in values.values() if value is not None and value > 0]
        if known and (found := summary(quantity, name)):
            low, high = max(min(known), floor), max(*known, floor)
            yield min(max(found.low, low / WIDEST, floor), high)
            yield min(found.high, high * WIDEST)


def dress_rows(axes: Axes, rows: Sequence[Row]) -> None:
    """Label the rows and hide what a list of rows does not need."""
    named = [row for row in rows if row.architecture]
    axes.set_yticks([row.y for row in named], [row.architecture or "" for row in named])
    axes.set_ylim(rows[-1].y + 0.6 * ROW_IN, -0.6 * ROW_IN)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for row in rows:
        if row.architecture is None:
            heading(axes, row.y, row.quantity.scene)


def heading(axes: Axes, y: float, text: str) -> None:
    """Write the heading of a group above its rows, from the left edge of the figure's labels."""
    axes.annotate(
        text, (0, y), (-58, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        va="center", weight="bold", annotation_clip=False,
    )  # fmt: skip


def _draw_row(axes: Axes, row: Row) -> None:
    name, quantity = row.architecture, row.quantity
    if name is None:
        return
    if name in quantity.withheld:
        note(axes, row.y, quantity.withheld[name].partition(":")[0])
        return
    floor = quantity.floor or 0.0
    points = [max(value, floor) for value in quantity.values[name].values() if value is not None]
    draw_points(axes, row.y, points, colour(name))
    if found := summary(quantity, name):
        _draw_summary(axes, row.y, name, found, floor)


def note(axes: Axes, y: float, text: str) -> None:
    """Write a reason in place of figures."""
    axes.annotate(
        text, (0, y), (4, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        va="center", color=FAINT, style="italic", fontsize=8,
    )  # fmt: skip


def draw_points(axes: Axes, y: float, values: Sequence[float], line_colour: str, size: float = 9) -> None:
    """Draw every figure as a point; the places within the row follow the order."""
    count = max(1, len(values) - 1)
    spread = [y + ROW_IN * _SPREAD * (place / count - 0.5) for place in range(len(values))]
    axes.scatter(values, spread, s=size, color=line_colour, alpha=0.5, linewidths=0)


def _draw_summary(axes: Axes, y: float, name: str, found: Summary, floor: float) -> None:
    if math.isinf(found.value):
        return
    high = found.high if math.isfinite(found.high) else axes.get_xlim()[1]
    ends = [max(found.low, floor), max(high, floor)]
    axes.plot(ends, [y, y], color=colour(name), linewidth=3.5, solid_capstyle="butt", alpha=0.75)
    axes.plot(
        max(found.value, floor), y, marker(name), color=colour(name), markersize=6.5, markeredgecolor=PAPER,
        markeredgewidth=0.8,
    )  # fmt: skip
    axes.annotate(
        typical(found, floor),
        (1, y), (4, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        va="center", fontsize=8.5, color=INK, annotation_clip=False,
    )  # fmt: skip


def comparison_table(quantities: Sequence[Quantity], contests: Contests) -> Table:
    """Return one row per quantity and one column per architecture, with the verdict against the best one."""
    names = list(dict.fromkeys(n for each in quantities for n in (*each.values, *each.withheld)))
    unit = quantities[0].unit
    rows = [(each.scene, *_cells(each, names, contests)) for each in quantities]
    return Table((unit, *names), rows)


def _cells(quantity: Quantity, names: Sequence[str], contests: Contests) -> list[str]:
    ranked = ranking(quantity, contests)
    verdicts = {ranked.best: "best" if not ranked.rivals else ""} if ranked else {}
    for name, decision in ranked.others.items() if ranked else ():
        words = "behind" if decision.verdict == "ahead" else decision.verdict
        verdicts[name] = f"{words}, {ratio_in_words(decision.difference)}" if words == "behind" else words
    return [_cell(quantity, name, verdicts) for name in names]


def _cell(quantity: Quantity, name: str, verdicts: Mapping[str, str]) -> str:
    if name in quantity.withheld:
        return quantity.withheld[name]
    found = summary(quantity, name)
    if found is None:
        return NOTHING
    extra = [verdicts.get(name, "control" if name == CEILING else ""), quantity.notes.get(name, "")]
    return "; ".join([with_interval(found, quantity.floor), *filter(None, extra)])


def _in_words(quantities: Sequence[Quantity]) -> str:
    """Return the typical figures for readers who cannot see the figure, from the same summaries."""
    return " ".join(f"{each.scene}: {', '.join(_words(each))}." for each in quantities)


def _words(quantity: Quantity) -> list[str]:
    figures = [
        f"{name} {typical(found, quantity.floor)}"
        for name in quantity.values
        if (found := summary(quantity, name))
    ]
    return figures + [f"{name} {why.partition(':')[0]}" for name, why in quantity.withheld.items()]
