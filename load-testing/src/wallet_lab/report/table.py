"""Figures as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows, as a reader sees them."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
