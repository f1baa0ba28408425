"""Lists the parts that a reader may miss on the page, with the reason. Pure."""

from collections import Counter
from collections.abc import Iterable

from wallet_lab.report.model import FaultRun, Recovery, Report, Run
from wallet_lab.report.selection import attempts


def absent(report: Report, empty_sections: Iterable[str]) -> list[str]:
    """Return one sentence for everything that was not measured, and for every section without data."""
    empty = [f"{title}: this report has no data for it." for title in empty_sections]
    return [*report.not_measured, *empty, *_not_run(report)]


def _not_run(report: Report) -> list[str]:
    """Return one sentence per architecture, load and reason, with the number of runs."""
    missing = Counter(
        (each.architecture, _what(each), each.why) for each in attempts(report) if each.verdict == "not-run"
    )
    return [
        f"{name}, {what}{f' ({count} times)' if count > 1 else ''}: not run, {why}"
        for (name, what, why), count in missing.items()
    ]


def _what(attempt: object) -> str:
    if isinstance(attempt, Run):
        return attempt.scenario
    if isinstance(attempt, FaultRun | Recovery):
        return attempt.fault
    return type(attempt).__name__.lower()
