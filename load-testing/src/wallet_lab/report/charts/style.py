"""The style of all figures: each architecture has one colour and one mark, distinct for colour-blind readers.

The colours are from Okabe and Ito, "Color Universal Design" (2008).
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from matplotlib.typing import RcKeyType

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Style
from wallet_lab.report.statistics import Estimate

STYLES = {each.name: each.style for each in architectures.every()}
TEXT = "#222222"
FAINT = "#6B6B6B"
WIDTH_IN = 9.0
LineStyle = Literal["-", "--", "-.", ":"]

_RC: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # part of matplotlib, so figures look the same everywhere
    "font.size": 9.5,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": "#9A9A9A",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#E4E4E4",
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "wallet",
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Inside, figures are drawn and saved in this style."""
    with mpl.rc_context(_RC):
        yield


def _style(architecture: str) -> Style:
    return STYLES.get(architecture) or Style(label=architecture, colour="#444444", marker="x")


def colour(architecture: str) -> str:
    """Return an architecture's colour; grey if it is unknown."""
    return _style(architecture).colour


def marker(architecture: str) -> str:
    """Return the mark of an architecture's points; a cross if it is unknown."""
    return _style(architecture).marker


def shade(architecture: str, strength: float) -> tuple[float, float, float]:
    """Mix an architecture's colour with white: 1 is the full colour, 0 is white."""
    red, green, blue = to_rgb(colour(architecture))
    return 1 - (1 - red) * strength, 1 - (1 - green) * strength, 1 - (1 - blue) * strength


def new_figure(
    height_in: float, rows: int = 1, columns: int = 1, *, share_x: bool = False, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """Make a figure of the page's width; returns it with its axes, row by row."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=share_y)
    return figure, list(grid.flat)


def legend(figure: Figure, names: list[str]) -> None:
    """Draw the names with their colours and marks above the figure."""
    handles = [
        Line2D([], [], color=colour(name), marker=marker(name), linestyle="-", markersize=7) for name in names
    ]
    labels = [_style(name).label for name in names]
    figure.legend(handles, labels, loc="outside upper left", ncols=len(names), borderaxespad=0.2)


def error_bar(estimate: Estimate) -> list[list[float]]:
    """Return the interval in matplotlib's format."""
    return [[estimate.median - estimate.low], [estimate.high - estimate.median]]


def plain_log(axes: Axes, axis: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, with ticks 1, 10, 100 instead of powers."""
    getattr(axes, f"set_{axis}scale")("log")
    formatter = FuncFormatter(lambda value, _: f"{value:g}")
    getattr(axes, f"{axis}axis").set_major_formatter(formatter)
