"""Figures of faults: a group of rows per fault, a row per architecture, every injection as a point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.strips import HEADING_IN, ROW_IN, heading, note
from wallet_lab.report.charts.style import PAPER, is_narrow, new_figure, plain_log
from wallet_lab.report.model import FaultRun, Injection, Report
from wallet_lab.report.quantities import AT_ONCE_S
from wallet_lab.report.selection import missing
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING, number, with_interval
from wallet_lab.statistics.summaries import Summary, quantile


@dataclass(frozen=True, slots=True)
class Mark:
    """A figure of an injection, and how it is drawn."""

    name: str
    of: Callable[[Injection], float | None]
    colour: str
    shape: str
    floor: float = 0.0
    """Figures below it are drawn there."""


MOMENTS = (
    Mark("first success", lambda each: each.first_success_s, "#0072B2", "o", AT_ONCE_S),
    Mark("full throughput", lambda each: each.full_throughput_s, "#D55E00", "s", AT_ONCE_S),
    Mark("backlog drained", lambda each: each.drained_s, "#009E73", "^", AT_ONCE_S),
    Mark("reads converged", lambda each: each.converged_s, "#CC79A7", "D", AT_ONCE_S),
)
SHARES = (
    Mark("calls that need the component", lambda each: _percent(each.bound_affected_share), "#D55E00", "s"),
    Mark("other calls", lambda each: _percent(each.other_affected_share), "#0072B2", "o"),
    Mark("both together", lambda each: _percent(affected_share(each)), "#009E73", "^"),
)
_LANE_IN = 0.115
"""The height of one kind of mark within a row."""
_SHORT_NAME = 20
"""On a phone, the legend has two columns if no name has more characters."""


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def affected_share(injection: Injection) -> float | None:
    """Return the share of affected calls among those that need the component and the others; None without calls."""
    calls = injection.bound_calls + injection.other_calls
    affected = injection.bound_calls * (injection.bound_affected_share or 0.0)
    affected += injection.other_calls * (injection.other_affected_share or 0.0)
    return affected / calls if calls else None


def recovery_times(report: Report) -> Exhibit | None:
    """Draw the moments of recovery of every injection, in seconds since the fault."""
    if not _are_drawn(report):
        return None
    return Exhibit(
        name="recovery-times",
        title="Recovery times",
        caption="Less is better. A point is one injection, a line is the interval of the median, a large mark is the "
        f"median. Times below {AT_ONCE_S:g} s are drawn at {AT_ONCE_S:g} s. First success and full throughput count "
        "only calls that need the broken component. A time that was not reached before the next injection has no "
        "point. The table says how many injections this concerns.",
        alt=f"Recovery times on a logarithmic axis, by fault and architecture. {_in_words(report)}",
        draw=partial(_draw, report.faults, MOMENTS, "seconds since the fault", _dress_seconds),
        table=_table(report.faults),
    )


def affected_calls(report: Report) -> Exhibit | None:
    """Draw the share of calls that failed or were slow."""
    if not _are_drawn(report):
        return None
    headings = (
        "fault",
        "architecture",
        "name",
        *(f"{mark.name}, % affected" for mark in SHARES),
        "longest staleness, ms",
    )
    rows = [(*_names(run), *_medians(run, SHARES), _stalest(run)) for run in report.faults]
    return Exhibit(
        name="affected-calls",
        title="Affected calls",
        caption="Less is better. The share of calls that failed or were slow, among those that were under way at the "
        "fault or sent within 3 s after it. A call needs the component if the usual path to its answer leads through "
        "the broken one. Both together show the effect on the whole load. Reads that a cache may answer instead are in "
        "neither group.",
        alt=f"Share of affected calls in percent, by fault and architecture. {_shares_in_words(report)}",
        draw=partial(_draw, report.faults, SHARES, "% of the calls", _dress_percent),
        table=Table(headings, rows),
    )


def _are_drawn(report: Report) -> bool:
    return any(not missing([run]) and run.injections for run in report.faults)


def _draw(
    runs: Sequence[FaultRun],
    marks: Sequence[Mark],
    unit: str,
    dress: Callable[[Axes, Sequence[FaultRun], Sequence[Mark]], None],
    width_in: float,
) -> Figure:
    row_in = max(ROW_IN, _LANE_IN * (len(marks) + 0.6))
    hits = list(dict.fromkeys(run.hits for run in runs))
    height = len(hits) * (HEADING_IN + ROW_IN / 3) + len(runs) * row_in
    columns = _legend_columns(marks, width_in)
    figure, (axes,) = new_figure(width_in, 0.7 + height + 0.2 * -(-len(marks) // columns))
    dress(axes, runs, marks)
    y, places = 0.0, {}
    for hit in hits:
        heading(axes, y, hit)
        y += HEADING_IN / 2 + row_in / 2
        for run in [run for run in runs if run.hits == hit]:
            _draw_run(axes, y, run, marks)
            places[y] = run.architecture
            y += row_in
        y += HEADING_IN / 2
    axes.set_yticks(list(places), list(places.values()))
    axes.set_ylim(y - row_in / 2, -0.6 * ROW_IN)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(unit)
    handles = [Line2D([], [], color=m.colour, marker=m.shape, lw=2, ms=5, label=m.name) for m in marks]
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, fontsize=8.5)
    return figure


def _legend_columns(marks: Sequence[Mark], width_in: float) -> int:
    if not is_narrow(width_in):
        return 4
    return 2 if max(len(mark.name) for mark in marks) <= _SHORT_NAME else 1


def _draw_run(axes: Axes, y: float, run: FaultRun, marks: Sequence[Mark]) -> None:
    if why := missing([run]):
        note(axes, y, why.partition(":")[0])
        return
    low, high = axes.get_xlim()
    for lane, mark in enumerate(marks):
        at = y + _LANE_IN * (lane - (len(marks) - 1) / 2)
        known = [value for each in run.injections if (value := mark.of(each)) is not None]
        values = [min(max(value, mark.floor, low), high) for value in known]
        axes.scatter(values, [at] * len(values), s=11, color=mark.colour, marker=mark.shape, alpha=0.5, lw=0)
        if found := quantile([mark.of(each) for each in run.injections]) if known else None:
            _draw_median(axes, at, found, mark, (low, high))


def _draw_median(axes: Axes, at: float, found: Summary, mark: Mark, limits: tuple[float, float]) -> None:
    """Draw the median and its interval. A median that was not reached has no mark."""
    low, value, high = (
        min(max(each, mark.floor, limits[0]), limits[1]) for each in (found.low, found.value, found.high)
    )
    axes.plot([low, high], [at, at], color=mark.colour, lw=2.2, alpha=0.55, solid_capstyle="butt")
    if found.value <= limits[1]:
        axes.plot(
            value, at, mark.shape, color=mark.colour, ms=5.5, markeredgecolor=PAPER, markeredgewidth=0.7
        )


def _dress_seconds(axes: Axes, runs: Sequence[FaultRun], marks: Sequence[Mark]) -> None:
    times = [
        t for run in runs for each in run.injections for mark in marks if (t := mark.of(each)) is not None
    ]
    plain_log(axes, "x", AT_ONCE_S / 1.2, max(times, default=1.0) * 1.3)


def _dress_percent(axes: Axes, runs: Sequence[FaultRun], marks: Sequence[Mark]) -> None:
    del runs, marks
    axes.set_xlim(-1, 101)


def _table(runs: Sequence[FaultRun]) -> Table:
    headings = (
        "fault",
        "architecture",
        "name",
        *(f"{mark.name}, s" for mark in MOMENTS),
        "outage, s",
        "lost",
        "audit",
    )
    return Table(headings, [(*_names(run), *_medians(run, MOMENTS), *_ends(run)) for run in runs])


def _names(run: FaultRun) -> tuple[str, str, str]:
    return run.hits, run.architecture, run.fault


def _ends(run: FaultRun) -> tuple[str, str, str]:
    is_shown = run.verdict == "passed"
    outage = with_interval(quantile([each.outage_s for each in run.injections])) if is_shown else NOTHING
    return outage, number(run.lost), f"{run.verdict}: {run.why}" if run.why else run.verdict


def _medians(run: FaultRun, marks: Sequence[Mark]) -> list[str]:
    return [NOTHING if missing([run]) else _median(run, mark) for mark in marks]


def _median(run: FaultRun, mark: Mark) -> str:
    """Return the median with its interval, and how many injections did not reach the moment."""
    values = [mark.of(each) for each in run.injections]
    never = values.count(None)
    if never == len(values):
        return NOTHING
    return with_interval(quantile(values)) + (f"; {never} of {len(values)} not reached" if never else "")


def _stalest(run: FaultRun) -> str:
    found = [each.stale_ms_max for each in run.injections if each.stale_ms_max is not None]
    return number(max(found)) if found and not missing([run]) else NOTHING


def _in_words(report: Report) -> str:
    return "; ".join(
        f"{run.hits}, {run.architecture}: {missing([run]) or f'first success after {_median(run, MOMENTS[0])} s'}"
        for run in report.faults
    )


def _shares_in_words(report: Report) -> str:
    return "; ".join(
        f"{run.hits}, {run.architecture}: {missing([run]) or f'{_median(run, SHARES[0])} %'}"
        for run in report.faults
    )
