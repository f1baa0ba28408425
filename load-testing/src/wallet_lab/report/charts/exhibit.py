"""A figure with its title, its caption, and the same figures as a table."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from wallet_lab.report.table import Table

Draw = Callable[[float], Figure]
"""Draws the figure at a width in inches, so that a narrow screen gets a layout of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One part of a section of the page."""

    name: str
    """The id on the page, and the name of its files."""
    title: str
    caption: str
    """How to read the figure."""
    table: Table
    alt: str = ""
    """A description for readers who cannot see the figure; the table has the numbers."""
    draw: Draw | None = None
    """None if the table says everything."""
