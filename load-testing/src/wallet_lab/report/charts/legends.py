"""The one legend of a figure whose lines have no labels of their own."""

from collections.abc import Iterable

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wallet_lab.report.charts.style import colour, is_narrow, label, marker


def name_lines(figure: Figure, names: Iterable[str], width_in: float) -> None:
    """Write the names of the architectures with their colours and marks above the figure."""
    each = list(dict.fromkeys(names))
    handles = [Line2D([], [], color=colour(name), marker=marker(name), markersize=6) for name in each]
    text = each if is_narrow(width_in) else [label(name) for name in each]
    columns = 3 if is_narrow(width_in) else 5
    figure.legend(handles, text, loc="outside upper left", ncols=columns, fontsize=8.5)
