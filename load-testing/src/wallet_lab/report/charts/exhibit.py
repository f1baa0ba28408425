"""A figure with its title, its caption, and the same figures as a table."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from wallet_lab.report.table import Table


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One figure of the page."""

    name: str
    """The name of its files."""
    title: str
    caption: str
    """How to read the figure."""
    alt: str
    """A description for readers who cannot see the figure; the table has the numbers."""
    figure: Figure
    table: Table
