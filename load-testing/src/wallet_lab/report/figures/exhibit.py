"""A figure with what belongs to it: title, how to read it, and the same figures as a table."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from wallet_lab.report.table import Table


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One figure of the page."""

    name: str
    """Of its files."""
    title: str
    caption: str
    """How to read it."""
    alt: str
    """What is seen, for those who do not see it; the table has the numbers."""
    figure: Figure
    table: Table
