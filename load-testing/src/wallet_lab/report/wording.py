"""Formats figures for readers: three digits, a unit and an interval."""

from wallet_lab.report.conclusions import Conclusion
from wallet_lab.report.statistics import Estimate

TITLE = "Saga and event-driven CQRS, compared"
NOT_MEASURED = (
    "Several machines: all processes, k6 included, ran on this machine and shared its cores.",
    "Network and disk faults, and power loss: only processes were killed, never the machine.",
    "Hours of load: caches, tables and logs are only as large as they become within minutes.",
    "Equal failures: a worker or database of the saga serves half of the wallets, the event store of cqrs all.",
)
NOTHING = "–"
SURENESS = {
    "clear": "clear: the 95 % interval over five or more repeats excludes chance",
    "likely": "likely: all three or four repeats agree",
    "hint": "a hint: fewer than three repeats",
    "none": "no clear difference",
}
MOMENTS = {
    "detected_s": "detected",
    "first_success_s": "first success",
    "drained_s": "backlog drained",
    "converged_s": "back to normal",
}
"""Names of the moments of a recovery, by their names in the model."""
_MARKS = {"clear": "●●●", "likely": "●●○", "hint": "●○○", "none": ""}


def number(value: float | None) -> str:
    """Round to three significant digits, with separated thousands."""
    if value is None:
        return NOTHING
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}".replace(",", "\N{THIN SPACE}")
    return f"{value:.3g}"


def with_interval(estimate: Estimate | None) -> str:
    """Format the median and its interval."""
    if estimate is None:
        return NOTHING
    if estimate.repeats == 1:
        return number(estimate.median)
    return f"{number(estimate.median)} ({number(estimate.low)}–{number(estimate.high)})"


def times(ratio: Estimate | None) -> str:
    """Format a ratio and its interval."""
    if ratio is None:
        return ""
    interval = f" ({ratio.low:.2f}–{ratio.high:.2f})" if ratio.repeats > 1 else ""
    return f"{ratio.median:.2f}×{interval}"


def mark(conclusion: Conclusion) -> str:
    """Return dots that show the certainty."""
    return _MARKS[conclusion.certainty]


def conclusion_in_words(conclusion: Conclusion) -> str:
    """Return the text of one cell in the table of conclusions."""
    if conclusion.missing:
        return conclusion.missing
    if len(conclusion.estimates) < 2:
        return NOTHING
    if conclusion.ahead is None:
        return "no clear difference"
    return f"{conclusion.ahead} {times(conclusion.ratio)}".rstrip()
