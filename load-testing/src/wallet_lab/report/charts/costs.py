"""Figures of the server costs per acknowledged call, by component."""

from collections import Counter
from collections.abc import Callable
from statistics import mean

from matplotlib.axes import Axes

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import legend, new_figure, shade
from wallet_lab.report.model import Costs, Report, Run
from wallet_lab.report.selection import architectures, is_step, missing, runs_of, scenarios
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number

LETTER = 0.012
"""The approximate share of the axis that a letter takes. A part too small for its name has no label; the table has it.
"""

_BY_COMPONENT = "A bar is the sum over all processes. Its parts are components, the most expensive one first."
_ALL_TOGETHER = (
    "All bytes on the loopback interface, headers included: from the clients, between the components, and "
    "from other processes of the machine. The kernel does not say which process sent them."
)

Kind = Callable[[Run], Costs | None]
Bars = dict[tuple[str, str], dict[str, float]]
"""Keys: scenario and architecture, then the component."""


def cpu(report: Report) -> Exhibit | None:
    """Draw the milliseconds of processor time."""
    bars = _bars(report, lambda run: run.server_cpu_ms_per_transfer)
    return _exhibit(bars, "cpu", "Server CPU per call", "CPU-ms", _BY_COMPONENT)


def disk(report: Report) -> Exhibit | None:
    """Draw the bytes that the kernel sent to the disk."""
    bars = _bars(report, lambda run: run.disk_bytes_per_transfer)
    return _exhibit(bars, "disk", "Written to disk per call", "bytes", _BY_COMPONENT)


def network(report: Report) -> Exhibit | None:
    """Draw the bytes over sockets."""
    bars = _bars(report, lambda run: run.network_bytes_per_transfer)
    return _exhibit(bars, "network", "Network per call", "bytes", _ALL_TOGETHER)


def _bars(report: Report, kind: Kind) -> Bars:
    bars = {
        (scenario, architecture): parts
        for scenario in scenarios(report)
        for architecture in architectures(report)
        if (parts := _parts(runs_of(report, architecture, scenario), kind))
    }
    return _in_one_order(bars)


def _exhibit(bars: Bars, name: str, title: str, unit: str, caption: str) -> Exhibit | None:
    if not bars:
        return None
    figure, (axes,) = new_figure(0.9 + 0.27 * len(bars))
    _draw(axes, bars)
    axes.set_xlabel(f"{unit} per acknowledged call")
    legend(figure, list(dict.fromkeys(architecture for _, architecture in bars)))
    return Exhibit(
        name=name,
        title=title,
        caption=f"Less is better; means over the repeats. {caption}",
        alt=f"Bars of {unit} per acknowledged call, for each scenario and architecture.",
        figure=figure,
        table=_table(bars, unit),
    )


def _parts(runs: list[Run], kind: Kind) -> dict[str, float]:
    """Return the mean over repeats, by component."""
    found = [costs for run in runs if not is_step(run) and (costs := kind(run))]
    if not found or missing(runs):
        return {}
    names = dict.fromkeys(name for costs in found for name in costs.by_component)
    return {name: mean(costs.by_component.get(name, 0) for costs in found) for name in names}


def _in_one_order(bars: Bars) -> Bars:
    """Give a component the same place and shade in all bars of its architecture: the most expensive first."""
    sums: dict[str, Counter[str]] = {}
    for (_, architecture), parts in bars.items():
        sums.setdefault(architecture, Counter()).update(parts)
    return {
        group: {name: parts[name] for name, _ in sums[group[1]].most_common() if name in parts}
        for group, parts in bars.items()
    }


def _draw(axes: Axes, bars: Bars) -> None:
    widest = max(sum(parts.values()) for parts in bars.values())
    labels = []
    for row, ((scenario, architecture), parts) in enumerate(bars.items()):
        left = 0.0
        for place, (component, value) in enumerate(parts.items()):
            strength = 1 - 0.85 * place / len(parts)
            axes.barh(
                row,
                value,
                0.8,
                left=left,
                color=shade(architecture, strength),
                edgecolor="white",
                linewidth=0.8,
            )
            if value > LETTER * widest * (len(component) + 1):
                ink = "white" if strength > 0.65 else "#222222"
                axes.text(left + value / 2, row, component, ha="center", va="center", fontsize=7.5, color=ink)
            left += value
        axes.annotate(
            number(left), (left, row), (4, 0), textcoords="offset points", va="center", fontsize=8.5
        )
        labels.append(f"{scenario}  {architecture}")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, widest * 1.1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _table(bars: Bars, unit: str) -> Table:
    rows = [
        (
            *group,
            number(sum(parts.values())),
            ", ".join(f"{name} {number(value)}" for name, value in parts.items()),
        )
        for group, parts in bars.items()
    ]
    return Table(("scenario", "architecture", f"{unit} in total", "of which"), rows)
