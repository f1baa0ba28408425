"""Figures of the server costs per million calls, by component."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.strips import HEADING_IN, ROW_IN, heading
from wallet_lab.report.charts.style import PAPER, component_colour, component_place, is_narrow, new_figure
from wallet_lab.report.model import Costs, Report, Run
from wallet_lab.report.quantities import CPU, WRITTEN, Measure, Quantity, of_loads, runs_of
from wallet_lab.report.selection import CEILING
from wallet_lab.report.table import Table
from wallet_lab.report.verdicts import summary
from wallet_lab.report.wording import number, with_interval

Bars = Mapping[tuple[str, str], Mapping[str, float]]
"""Keys: scene and architecture, then the component."""
_LEGEND_ROW_IN = 0.2


def cpu(report: Report) -> Exhibit | None:
    """Draw the hours of processor time."""
    return _exhibit(report, "cpu", "Server CPU by component", CPU, lambda run: run.server_cpu_ms_per_transfer)


def written(report: Report) -> Exhibit | None:
    """Draw the data that the components wrote."""
    return _exhibit(
        report, "written", "Written to disk by component", WRITTEN, lambda run: run.disk_bytes_per_transfer
    )


def _exhibit(
    report: Report, name: str, title: str, measure: Measure, kind: Callable[[Run], Costs | None]
) -> Exhibit | None:
    quantities = of_loads(report, measure)
    bars = {
        (each.scene, architecture): _parts(each, architecture, map(kind, runs_of(report, each, architecture)))
        for each in quantities
        for architecture, values in each.values.items()
        if values and architecture != CEILING
    }
    if not bars:
        return None
    return Exhibit(
        name=name,
        title=title,
        caption="Less is better. A bar is as long as the mean in the table. Its parts are the mean shares of the "
        "components; replicas of one kind are summed.",
        alt=f"Stacked bars of {measure.unit}, by load and architecture. {_in_words(bars)}",
        draw=partial(_draw, bars, measure.unit),
        table=_table(quantities, bars, measure.unit),
    )


def _parts(quantity: Quantity, architecture: str, costs: "map[Costs | None]") -> dict[str, float]:
    """Divide the typical figure by the mean shares of the components, in the order of all figures."""
    known = [each for each in costs if each and each.total]
    whole = summary(quantity, architecture)
    names = dict.fromkeys(name for each in known for name in each.by_component)
    shares = {name: fmean(each.by_component.get(name, 0) / each.total for each in known) for name in names}
    parts = {name: share * whole.value for name, share in shares.items() if share and whole}
    return dict(sorted(parts.items(), key=lambda each: component_place(each[0])))


def _draw(bars: Bars, unit: str, width_in: float) -> Figure:
    scenes = list(dict.fromkeys(scene for scene, _ in bars))
    components = sorted({name for parts in bars.values() for name in parts}, key=component_place)
    columns = 3 if is_narrow(width_in) else 7
    height = len(scenes) * (HEADING_IN + ROW_IN / 3) + len(bars) * ROW_IN
    legend_in = _LEGEND_ROW_IN * -(-len(components) // columns)
    figure, (axes,) = new_figure(width_in, 0.75 + height + legend_in)
    _draw_groups(axes, bars, scenes)
    axes.set_xlim(0, 1.15 * max(sum(parts.values()) for parts in bars.values()))
    axes.set_xlabel(unit)
    handles = [Patch(color=component_colour(name), label=name) for name in components]
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, fontsize=8, handlelength=1)
    return figure


def _draw_groups(axes: Axes, bars: Bars, scenes: Sequence[str]) -> None:
    y, places = 0.0, {}
    for scene in scenes:
        heading(axes, y, scene)
        y += HEADING_IN
        for (where, architecture), parts in bars.items():
            if where == scene:
                _draw_bar(axes, y, parts)
                places[y] = architecture
                y += ROW_IN
        y += ROW_IN / 3
    axes.set_yticks(list(places), list(places.values()))
    axes.set_ylim(y, -0.6 * ROW_IN)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _draw_bar(axes: Axes, y: float, parts: Mapping[str, float]) -> None:
    left = 0.0
    for name, value in parts.items():
        axes.barh(
            y, value, 0.8 * ROW_IN, left=left, color=component_colour(name), edgecolor=PAPER, linewidth=0.5
        )
        left += value
    axes.annotate(number(left), (left, y), (4, 0), textcoords="offset points", va="center", fontsize=8.5)


def _table(quantities: Sequence[Quantity], bars: Bars, unit: str) -> Table:
    rows = [
        (
            each.scene,
            architecture,
            each.withheld.get(architecture) or with_interval(summary(each, architecture)),
            ", ".join(
                f"{part} {number(value)}" for part, value in bars.get((each.scene, architecture), {}).items()
            ),
        )
        for each in quantities
        for architecture in each.values
    ]
    return Table(("load", "architecture", unit, "of which"), rows)


def _in_words(bars: Bars) -> str:
    return "; ".join(
        f"{scene}, {name}: {number(sum(parts.values()))}" for (scene, name), parts in bars.items()
    )
