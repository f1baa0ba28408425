"""The style of all figures: each architecture has one colour and one mark, each kind of component one colour.

The colours are from Okabe and Ito, "Color Universal Design" (2008), and are distinct for colour-blind readers.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal
from zlib import crc32

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.typing import RcKeyType

from wallet_lab import architectures
from wallet_lab.architectures.adapter import Style
from wallet_lab.report.wording import number

STYLES = {each.name: each.style for each in architectures.every()}
COMPONENTS = {
    "service": "#00527F",
    "orchestrator": "#0072B2",
    "worker": "#56B4E9",
    "command": "#2F8CC6",
    "relay": "#7B61A8",
    "projection": "#8FCDF2",
    "query": "#C9E4F5",
    "postgres": "#D55E00",
    "postgres-events": "#B34700",
    "postgres-read": "#F0A060",
    "redis": "#009E73",
    "rabbitmq": "#CC79A7",
    "gateway": "#E6C200",
    "loopback": "#8A8A8A",
}
"""By kind, in the order of the bars: blue for services, orange for databases, green for caches, pink for brokers,
yellow for gateways."""
OTHER_COMPONENTS = ("#8A8A8A", "#6A8F3C", "#8C5A2B", "#4A6FA5")
"""For kinds that are not in the table; the name chooses one."""

INK = "#222222"
FAINT = "#6b6b6b"
EDGE = "#9a9a9a"
GRID = "#e4e4e4"
PAPER = "#ffffff"
NEUTRAL = {INK: "ink", FAINT: "faint", EDGE: "edge", GRID: "grid", PAPER: "paper"}
"""The colours that depend on the page's theme, and their names in the style sheet."""

WIDE_IN = 9.0
NARROW_IN = 3.75
"""The width of a figure on a phone, at 96 pixels per inch."""
LineStyle = Literal["-", "--", "-.", ":"]

_RC: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # part of matplotlib, so figures look the same everywhere
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": EDGE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
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
    return STYLES.get(architecture) or Style(label=architecture, colour="#7A7A7A", marker="X")


def label(architecture: str) -> str:
    """Return an architecture's name with a description."""
    return _style(architecture).label


def colour(architecture: str) -> str:
    """Return an architecture's colour; grey if it is unknown."""
    return _style(architecture).colour


def marker(architecture: str) -> str:
    """Return the mark of an architecture's points; a cross if it is unknown."""
    return _style(architecture).marker


def component_colour(kind: str) -> str:
    """Return the colour of a kind of component, the same in every figure and report."""
    return COMPONENTS.get(kind) or OTHER_COMPONENTS[crc32(kind.encode()) % len(OTHER_COMPONENTS)]


def component_place(kind: str) -> int:
    """Return the place of a kind of component within a bar, the same in every figure."""
    return list(COMPONENTS).index(kind) if kind in COMPONENTS else len(COMPONENTS)


def is_narrow(width_in: float) -> bool:
    """Whether the figure is for a phone."""
    return width_in < WIDE_IN / 2


def new_figure(
    width_in: float,
    height_in: float,
    rows: int = 1,
    columns: int = 1,
    *,
    share_x: bool = False,
    share_y: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Make a figure; returns it with its axes, row by row."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=share_y)
    return figure, list(grid.flat)


def plain_log(axes: Axes, axis: Literal["x", "y"], low: float, high: float) -> None:
    """Make an axis logarithmic from low to high, with ticks 1, 10, 100; with 2 and 5 too if there are few decades."""
    figure = axes.get_figure(root=True)
    is_small = figure is not None and is_narrow(figure.get_figwidth())
    subs = (1.0,) if high / low > (30 if is_small else 200) else (1.0, 2.0, 5.0)
    getattr(axes, f"set_{axis}scale")("log")
    getattr(axes, f"set_{axis}lim")(low, high)
    line = getattr(axes, f"{axis}axis")
    line.set_major_locator(LogLocator(subs=subs))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
