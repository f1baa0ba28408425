"""The decision table: for each question of a reader who chooses, which architecture, by how much, and how sure. Pure.

Every measured answer comes from a verdict of the statistics; counts and properties say that they are no measurements.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wallet_lab.report.model import HALF_CAPACITY, Report, Size
from wallet_lab.report.quantities import Quantity, of_everything
from wallet_lab.report.selection import architectures
from wallet_lab.report.verdicts import Contests, Ranking, contests, ranking, summary
from wallet_lab.report.wording import listed, ratio_in_words, typical
from wallet_lab.statistics.blocks import BLOCKS_FOR_A_VERDICT
from wallet_lab.statistics.differences import BAND


@dataclass(frozen=True, slots=True)
class Question:
    """A need of a chooser, and the quantities that answer it: the first one that the report has."""

    need: str
    """Completes the sentence "choose … if …"."""
    keys: tuple[str, ...]


QUESTIONS = (
    Question(
        "the highest rate of transfers decides, with 99 % of them answered within 50 ms",
        ("capacity/p99 ≤ 50 ms",),
    ),
    Question("throughput between many wallets decides, not latency", ("throughput/uniform-1k",)),
    Question("one hot wallet takes part in most transfers", ("throughput/hot-pair",)),
    Question("most calls read balances", ("throughput/reads",)),
    Question(
        "the latency of the slowest 1 % of transfers decides, below saturation",
        (f"p99/{HALF_CAPACITY}", "p99/open", "p99/normal"),
    ),
    Question("cost per transfer decides", ("price/uniform-1k", f"price/{HALF_CAPACITY}", "price/open")),
    Question("reads must show a write soon", ("delay/idle",)),
)
"""Questions with a known load. Each fault of the report adds one."""

PROPERTIES = {
    "fresh-reads": "every read must show all acknowledged writes, without a wait",
    "event-history": "new read models must be built later from the full history of events",
    "several-databases": "the wallets must be spread over several databases",
}
"""Needs that a property of the design meets, by the property's name in the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One line of the table."""

    need: str
    choose: tuple[str, ...]
    """The answer: one architecture, several equal or undecided ones, or none."""
    by: str
    """How much better it is than the closest other one, with the interval."""
    sure: str
    """The verdict in words."""
    anchor: str
    """The id of its figure on the page."""
    evidence: str
    """The names of the folders in the report's folder `evidence`, as a pattern; empty without measurements."""
    is_decided: bool = True
    """Whether the figures show that all chosen ones are equally good, or that the only one is best."""

    @property
    def answer(self) -> str:
        """The architectures as a text."""
        if not self.choose:
            return "no answer"
        return listed(self.choose) if self.is_decided else f"undecided: {listed(self.choose)}"

    @property
    def in_words(self) -> str:
        """The line as two sentences."""
        if not self.choose:
            answer = f"there is {self.answer}"
        else:
            answer = f"choose {self.answer}" if self.is_decided else f"the choice is {self.answer}"
        return f"If {self.need}, {answer}. Reason: {'; '.join(filter(None, (self.by, self.sure)))}."


def decisions(report: Report) -> list[Decision]:
    """Return all lines that the report can answer."""
    quantities = {each.key: each for each in of_everything(report)}
    judged = contests(list(quantities.values()))
    asked = [*QUESTIONS, *_of_faults(report)]
    measured = [line for question in asked if (line := _measured(question, quantities, judged))]
    return [*measured, *_fewest_parts(report), *_properties(report)]


def _of_faults(report: Report) -> list[Question]:
    hits = dict.fromkeys([*(each.hits for each in report.faults), *(each.hits for each in report.recovery)])
    return [
        Question(
            f"calls must succeed soon after this fault ({hit})",
            (f"outage/{hit}", f"first-success/{hit}"),
        )
        for hit in hits
        if hit
    ]


def _measured(question: Question, quantities: Mapping[str, Quantity], judged: Contests) -> Decision | None:
    found = next((quantities[key] for key in question.keys if key in quantities), None)
    if found is None:
        return None
    ranked = ranking(found, judged)
    if ranked is None and not (found.withheld and len(found.values) > 1):
        return None
    return Decision(
        need=question.need,
        choose=(ranked.best, *ranked.rivals) if ranked else (),
        by=_by(found, ranked) if ranked else "",
        sure="; ".join([_sure(ranked) if ranked else "no comparison", *_withheld(found)]),
        anchor=anchor_of(found),
        evidence=_evidence(found),
        is_decided=ranked is not None and _is_decided(ranked),
    )


def anchor_of(quantity: Quantity) -> str:
    """Return the id of the figure that shows a quantity."""
    measure = quantity.key.partition("/")[0]
    return {"p99": "latency", "p50": "latency-median", "fresh-read": "fresh-reads"}.get(measure, measure)


def _by(quantity: Quantity, ranked: Ranking) -> str:
    """Compare with the closest other architecture, or give the figures of those that are not distinguished."""
    if not ranked.rivals:
        return f"better than {ranked.closest} by {ratio_in_words(ranked.others[ranked.closest].difference)}"
    figures = [
        f"{name} {typical(found, quantity.floor)}"
        for name in (ranked.best, *ranked.rivals)
        if (found := summary(quantity, name))
    ]
    return f"{', '.join(figures)}; {quantity.unit}"


def _is_decided(ranked: Ranking) -> bool:
    return all(ranked.others[name].verdict == "equal" for name in ranked.rivals)


def _sure(ranked: Ranking) -> str:
    verdicts = {ranked.others[name].verdict for name in ranked.rivals}
    if not verdicts:
        return "shown: ahead of every other one"
    if verdicts == {"equal"}:
        return f"shown: equal within {100 * (BAND - 1):.0f} %"
    if "too few blocks" in verdicts:
        count = min(each.difference.count for each in ranked.others.values())
        repeats = "1 repeat" if count == 1 else f"{count} repeats"
        return f"no verdict: {repeats}, {BLOCKS_FOR_A_VERDICT} are needed"
    return "the differences can be chance"


def _withheld(quantity: Quantity) -> list[str]:
    return [f"{name} {why}" for name, why in quantity.withheld.items()]


def _evidence(quantity: Quantity) -> str:
    measure, _, scene = quantity.key.partition("/")
    place = {"capacity": "capacity", "delay": "consistency"}.get(measure, scene)
    return f"*-{place}*" if quantity.is_paired else "*"


def _fewest_parts(report: Report) -> list[Decision]:
    """Return who runs the fewest processes of its own code and servers. Counts are exact, so they need no verdict."""
    parts = {size.architecture: parts_of(size) for size in report.sizes}
    if len(parts) < 2:
        return []
    fewest = min(parts.values())
    counts = ", ".join(f"{name} {count}" for name, count in sorted(parts.items(), key=lambda each: each[1]))
    return [
        Decision(
            need="there must be few parts to operate",
            choose=tuple(name for name, count in parts.items() if count == fewest),
            by=f"{counts} processes",
            sure="counted",
            anchor="size",
            evidence="",
        )
    ]


def parts_of(size: Size) -> int:
    """Return the number of processes to operate."""
    return sum(size.services.values()) + sum(size.servers.values())


def _properties(report: Report) -> list[Decision]:
    names = [name for name in architectures(report) if name in report.properties]
    found = []
    for key, need in PROPERTIES.items():
        having = tuple(name for name in names if key in report.properties[name])
        if having and len(having) < len(names):
            found.append(
                Decision(
                    need=need,
                    choose=having,
                    by="",
                    sure="a property of the design",
                    anchor="properties",
                    evidence="",
                )
            )
    return found
