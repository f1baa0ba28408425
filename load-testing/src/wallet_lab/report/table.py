"""A table of figures."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows, as text."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
