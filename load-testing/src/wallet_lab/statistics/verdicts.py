"""The verdicts of a report. All cells are decided together, because more cells give chance more opportunities."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from wallet_lab.statistics.blocks import BLOCKS_FOR_A_VERDICT
from wallet_lab.statistics.differences import Difference

ERROR_RATE = 0.05
"""At most this share of reports has a false difference, and at most this share a false equality."""

Verdict = Literal["ahead", "behind", "equal", "undecided", "too few blocks"]
Cell = TypeVar("Cell", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one cell: one figure, one scenario or fault, and one pair of architectures."""

    difference: Difference
    verdict: Verdict
    """ahead: the ratio is above 1. behind: below 1. equal: it is within the band. undecided: none of them is shown."""
    p_different: float
    """Adjusted for the number of cells of the report, as is `p_equal`."""
    p_equal: float


def decide(cells: Mapping[Cell, Difference]) -> dict[Cell, Decision]:
    """Decide all cells of a report; the first architecture of a pair is ahead if its ratio is above 1.

    Cells with too few blocks are not tested. Differences and equalities are two families: each has its own Holm
    correction, so each kind of error has its own bound.
    """
    tested = {cell: each for cell, each in cells.items() if each.count >= BLOCKS_FOR_A_VERDICT}
    different = holm({cell: each.p_different for cell, each in tested.items()})
    equal = holm({cell: each.p_equal for cell, each in tested.items()})
    return {
        cell: Decision(
            each,
            _verdict(each, different[cell], equal[cell]) if cell in tested else "too few blocks",
            different.get(cell, 1.0),
            equal.get(cell, 1.0),
        )
        for cell, each in cells.items()
    }


def _verdict(difference: Difference, p_different: float, p_equal: float) -> Verdict:
    """Return the verdict. A difference that is shown to be too small to matter is an equality."""
    if p_equal <= ERROR_RATE:
        return "equal"
    if p_different <= ERROR_RATE:
        return "ahead" if difference.ratio > 1 else "behind"
    return "undecided"


def holm(p_values: Mapping[Cell, float]) -> dict[Cell, float]:
    """Return p values adjusted for their number (Holm 1979). They need not be independent of each other."""
    adjusted, largest = {}, 0.0
    for rank, cell in enumerate(sorted(p_values, key=lambda each: p_values[each])):
        largest = max(largest, min(1.0, p_values[cell] * (len(p_values) - rank)))
        adjusted[cell] = largest
    return adjusted
