"""The A/A test: pairs of runs of the same architecture, which differ only by chance."""

from collections.abc import Mapping
from dataclasses import dataclass

from wallet_lab.statistics.differences import Difference
from wallet_lab.statistics.summaries import Summary, proportion
from wallet_lab.statistics.verdicts import ERROR_RATE, Cell, decide


@dataclass(frozen=True, slots=True)
class Again:
    """The conclusions from the second runs of a report about its own method."""

    cells: int
    """Number of figures and scenarios with enough blocks."""
    apparent: Summary
    """Share of cells that differ if each cell is tested alone: 5 % is expected."""
    false: int
    """Number of cells that the report would call different: each is an error of the method."""
    ratio: Difference
    """Of all second runs to all first runs, in one figure."""


def judge(cells: Mapping[Cell, Difference], ratio: Difference | None) -> Again | None:
    """Apply the report's own decisions to its A/A pairs; None if no cell has enough blocks."""
    decisions = [each for each in decide(cells).values() if each.verdict != "too few blocks"]
    hits = sum(each.difference.p_different <= ERROR_RATE for each in decisions)
    apparent = proportion(hits, len(decisions))
    if apparent is None or ratio is None:
        return None
    false = sum(each.verdict in {"ahead", "behind"} for each in decisions)
    return Again(len(decisions), apparent, false, ratio)


def in_words(found: Again, figure: str) -> str:
    """Describe the result; `figure` names the figure of the ratio."""
    wrong = f"{found.false} of {found.cells}" if found.false else f"none of {found.cells}"
    return (
        f"A/A test, two runs of the same architecture: the method calls {wrong} cells different. "
        f"Tested alone, {100 * found.apparent.value:.0f} % of the cells differ (5 % are expected; interval "
        f"{100 * found.apparent.low:.0f}–{100 * found.apparent.high:.0f} %). The {figure} of the second runs is "
        f"{found.ratio.ratio:.3f}× that of the first ones ({found.ratio.low:.3f}–{found.ratio.high:.3f})."
    )
