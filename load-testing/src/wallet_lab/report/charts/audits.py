"""A figure of every check after every run."""

from dataclasses import dataclass

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import FAINT, new_figure
from wallet_lab.report.model import Report
from wallet_lab.report.selection import architectures, audited
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING

KEPT = "#D6EFE6"
BROKEN = "#E69F00"


@dataclass(frozen=True, slots=True)
class _Tally:
    passed: int
    looked: int
    sentences: tuple[str, ...]


def audits(report: Report) -> Exhibit | None:
    """Draw one row per check and one column per architecture: the number of audits that passed."""
    names = architectures(report)
    tallies = {
        (check, name): tally
        for check in _checks(report)
        for name in names
        if (tally := _tally(report, name, check)).looked
    }
    if not tallies:
        return None
    checks = list(dict.fromkeys(check for check, _ in tallies))
    figure, (axes,) = new_figure(0.6 + 0.3 * len(checks))
    for (check, name), tally in tallies.items():
        x, y = names.index(name), checks.index(check)
        broken = tally.looked - tally.passed
        axes.barh(y, 0.96, 0.9, left=x, color=BROKEN if broken else KEPT, edgecolor="white")
        text = f"✗ FAILED in {broken} of {tally.looked}" if broken else f"✓ passed in all {tally.looked}"
        axes.text(x + 0.48, y, text, ha="center", va="center", weight="bold" if broken else "normal")
    for x in range(len(names)):
        for y in range(len(checks)):
            if (checks[y], names[x]) not in tallies:
                axes.text(x + 0.48, y, "does not apply", ha="center", va="center", color=FAINT)
    axes.set_yticks(range(len(checks)), checks)
    axes.set_ylim(len(checks) - 0.5, -0.5)
    axes.set_xticks([place + 0.48 for place in range(len(names))], names)
    axes.xaxis.tick_top()
    axes.set_xlim(0, len(names))
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Exhibit(
        name="audits",
        title="Audit verdicts",
        caption="After every run and every fault, the audit compares the books with the guarantees and with the "
        "responses that clients received. If one check fails, the figures of the run are withheld.",
        alt=_alt(tallies),
        figure=figure,
        table=_table(tallies),
    )


def _checks(report: Report) -> list[str]:
    found = [check.name for each in audited(report) if each.audit for check in each.audit.checks]
    return list(dict.fromkeys(found))


def _tally(report: Report, architecture: str, name: str) -> _Tally:
    checks = [
        check
        for each in audited(report)
        if each.architecture == architecture and each.audit
        for check in each.audit.checks
        if check.name == name
    ]
    sentences = tuple(dict.fromkeys(sentence for check in checks for sentence in check.violations))
    return _Tally(sum(check.passed for check in checks), len(checks), sentences)


def _alt(tallies: dict[tuple[str, str], _Tally]) -> str:
    broken = [f"{check} ({name})" for (check, name), tally in tallies.items() if tally.passed < tally.looked]
    return f"Grid of checks and architectures. Failed: {', '.join(broken) or 'none'}."


def _table(tallies: dict[tuple[str, str], _Tally]) -> Table:
    rows = [
        (check, name, f"{tally.passed} of {tally.looked}", "; ".join(tally.sentences[:5]) or NOTHING)
        for (check, name), tally in tallies.items()
    ]
    return Table(("check", "architecture", "passed in", "first violations"), rows)
