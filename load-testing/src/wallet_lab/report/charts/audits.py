"""A figure of every check after every run."""

from dataclasses import dataclass
from functools import partial
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import FAINT, PAPER, is_narrow, new_figure
from wallet_lab.report.model import API_ALONE, Report
from wallet_lab.report.proof import api_alone
from wallet_lab.report.selection import architectures, audited
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING

KEPT = "#D6EFE6"
BROKEN = "#E69F00"
DARK = "#1f1f1f"
"""The text on these two colours, the same in every theme."""


@dataclass(frozen=True, slots=True)
class _Tally:
    passed: int
    looked: int
    sentences: tuple[str, ...]


Tallies = dict[tuple[str, str], _Tally]
"""By check and architecture."""


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
    return Exhibit(
        name="audits",
        title="Audit verdicts",
        caption=_caption(report),
        alt=_alt(tallies),
        draw=partial(_draw, tallies),
        table=_table(tallies),
    )


def _caption(report: Report) -> str:
    audit = (
        "After every run and every fault, the audit compares the books with the guarantees and with the responses that "
        "clients received. If one check fails, the figures of the run are withheld."
    )
    alone = api_alone(report)
    return f"{audit} {alone} {NOTHING} is a check that was left out." if alone else audit


def _draw(tallies: Tallies, width_in: float) -> Figure:
    names = list(dict.fromkeys(name for _, name in tallies))
    checks = list(dict.fromkeys(check for check, _ in tallies))
    row_in = 0.36 if is_narrow(width_in) else 0.27
    figure, (axes,) = new_figure(width_in, 0.5 + row_in * len(checks))
    for y, check in enumerate(checks):
        for x, name in enumerate(names):
            _draw_cell(axes, x, y, tallies.get((check, name)))
    across = 18 if is_narrow(width_in) else 60
    axes.set_yticks(range(len(checks)), [fill(check, across) for check in checks], fontsize=8)
    axes.set_ylim(len(checks) - 0.5, -0.5)
    turn = 40 if is_narrow(width_in) and len(names) > 2 else 0
    axes.set_xticks(
        [x + 0.48 for x in range(len(names))], names, rotation=turn, ha="left" if turn else "center"
    )
    axes.xaxis.tick_top()
    axes.set_xlim(0, len(names))
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _draw_cell(axes: Axes, x: int, y: int, tally: _Tally | None) -> None:
    if tally is None:
        axes.text(x + 0.48, y, NOTHING, ha="center", va="center", color=FAINT)
        return
    broken = tally.looked - tally.passed
    axes.barh(y, 0.96, 0.9, left=x, color=BROKEN if broken else KEPT, edgecolor=PAPER)
    text = f"✗ {broken} of {tally.looked}" if broken else f"✓ {tally.looked}"
    axes.text(x + 0.48, y, text, ha="center", va="center", color=DARK, weight="bold" if broken else "normal")


def _checks(report: Report) -> list[str]:
    """Return the names of the rules. The note about the API is no rule."""
    found = [check.name for each in audited(report) if each.audit for check in each.audit.checks]
    return [name for name in dict.fromkeys(found) if name != API_ALONE]


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


def _alt(tallies: Tallies) -> str:
    broken = [f"{check} ({name})" for (check, name), tally in tallies.items() if tally.passed < tally.looked]
    passed, looked = sum(t.passed for t in tallies.values()), sum(t.looked for t in tallies.values())
    failed = ", ".join(broken) or "none"
    return f"Grid of checks and architectures. {passed} of {looked} results passed. Failed: {failed}."


def _table(tallies: Tallies) -> Table:
    rows = [
        (check, name, f"{tally.passed} of {tally.looked}", "; ".join(tally.sentences[:5]) or NOTHING)
        for (check, name), tally in tallies.items()
    ]
    return Table(("check", "architecture", "passed in", "first violations"), rows)
