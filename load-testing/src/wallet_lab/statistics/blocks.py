"""The rules of a block: how many a verdict needs, and when the machine moved so much that a block is repeated."""

import math
from collections.abc import Sequence

BLOCKS_FOR_A_VERDICT = 6
"""If one architecture is ahead in all of six blocks, chance alone explains it in 2 of 64 cases (3 %). With five it
explains 6 %, so five blocks cannot support a verdict, for any noise."""

DRIFT_MAX = 1.10
"""A block is repeated if its two controls differ by more than this factor."""


def movement(control_before: float | None, control_after: float | None) -> float:
    """Return the larger control over the smaller one, at least 1; infinite if a control has no figure."""
    if not control_before or not control_after or min(control_before, control_after) <= 0:
        return math.inf
    return max(control_before, control_after) / min(control_before, control_after)


def has_drifted(control_before: float | None, control_after: float | None) -> bool:
    """Whether the machine's speed changed by more than 10 % during a block, or a control has no figure."""
    return movement(control_before, control_after) > DRIFT_MAX


def calmest(controls: Sequence[tuple[float | None, float | None]]) -> int:
    """Return the index of the attempt whose controls (before, after) differ least; the first one of several.

    It counts if the machine moved in all attempts, or if no more attempts are permitted.
    """
    return min(range(len(controls)), key=lambda attempt: movement(*controls[attempt]))
