"""Asks the statistics for a verdict on every pair of architectures in every quantity. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from wallet_lab.report.quantities import Quantity
from wallet_lab.report.selection import CEILING
from wallet_lab.statistics.differences import Difference, paired
from wallet_lab.statistics.recovery_times import unpaired
from wallet_lab.statistics.summaries import Summary, geometric_mean, quantile
from wallet_lab.statistics.verdicts import Decision, Verdict, decide

_REVERSED: dict[Verdict, Verdict] = {"ahead": "behind", "behind": "ahead"}

Contests = Mapping[tuple[str, str, str], Decision]
"""By quantity, first and second architecture; every pair in both orders. The ratio says how many times better the
first one is."""


def contests(quantities: Sequence[Quantity]) -> Contests:
    """Decide all pairs of all quantities in which the architectures can differ."""
    cells = {
        (each.key, first, second): difference
        for each in quantities
        for first, second in combinations(contestants(each), 2)
        if (difference := _difference(each, first, second))
    }
    decided = decide(cells)
    reversed_ = {(key, second, first): _reverse(each) for (key, first, second), each in decided.items()}
    return decided | reversed_


def contestants(quantity: Quantity) -> list[str]:
    """Return the architectures that are compared in a quantity: with figures, and no control."""
    names = [name for name, values in quantity.values.items() if values and name != CEILING]
    return names if quantity.is_contest else []


def _difference(quantity: Quantity, first: str, second: str) -> Difference | None:
    """Return how many times better the first architecture is."""
    over, under = (first, second) if quantity.better == "more" else (second, first)
    a, b = quantity.values[over], quantity.values[under]
    if quantity.is_paired:
        return paired(a, b, floor=quantity.floor)
    return unpaired(list(a.values()), list(b.values()), floor=quantity.floor or 0.0)


def _reverse(decision: Decision) -> Decision:
    return Decision(
        decision.difference.inverse(),
        _REVERSED.get(decision.verdict, decision.verdict),
        decision.p_different,
        decision.p_equal,
    )


def summary(quantity: Quantity, architecture: str) -> Summary | None:
    """Return the typical figure of an architecture: the mean that belongs to the ratios, or the median of times."""
    values = list(quantity.values.get(architecture, {}).values())
    if not quantity.is_paired:
        return quantile(values)
    return geometric_mean([max(each, quantity.floor or each) for each in values if each is not None])


@dataclass(frozen=True, slots=True)
class Ranking:
    """The answer to one quantity: the best architecture, and how the others compare with it."""

    best: str
    others: Mapping[str, Decision]
    """From the view of the best."""

    @property
    def rivals(self) -> list[str]:
        """The architectures that are not shown to be behind the best."""
        return [name for name, decision in self.others.items() if decision.verdict != "ahead"]

    @property
    def closest(self) -> str:
        """The architecture with the smallest ratio to the best."""
        return min(self.others, key=lambda name: self.others[name].difference.ratio)


def ranking(quantity: Quantity, contests: Contests) -> Ranking | None:
    """Rank the architectures of a quantity; None if fewer than two have figures."""
    typical = {name: found.value for name in contestants(quantity) if (found := summary(quantity, name))}
    if len(typical) < 2:
        return None
    best = (max if quantity.better == "more" else min)(typical, key=lambda name: typical[name])
    others = {name: decision for name in typical if (decision := contests.get((quantity.key, best, name)))}
    return Ranking(best, others) if others else None
