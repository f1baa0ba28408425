"""A figure of throughput and latency over a long run."""

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.legends import name_lines
from wallet_lab.report.charts.style import colour, is_narrow, new_figure, plain_log
from wallet_lab.report.model import Report, Sustained
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING, number


def sustained(report: Report) -> Exhibit | None:
    """Draw the acknowledged rate and the 99th percentile over time, with the servers' own work as marks."""
    runs = {each.architecture: each for each in report.sustained if each.verdict == "passed" and each.windows}
    if not runs:
        return None
    kinds = sorted({mark.what for each in runs.values() for mark in each.marks})
    marks = f" Triangles below mark {', '.join(kinds)}." if kinds else ""
    return Exhibit(
        name="sustained",
        title="Sustained load",
        caption="Arrivals at a fixed rate, 70 % of each architecture's own capacity. So the rates differ, and the "
        f"lines show how steady each one is, not which one is faster.{marks}",
        alt=f"Acknowledged rate and 99th percentile over time. {_in_words(runs)}",
        draw=partial(_draw, runs),
        table=_table(report.sustained),
    )


def _draw(runs: Mapping[str, Sustained], width_in: float) -> Figure:
    figure, (rate, latency) = new_figure(width_in, 4.6 if is_narrow(width_in) else 4.2, 2, 1, share_x=True)
    slowest = [w.p99_ms for each in runs.values() for w in each.windows if w.p99_ms]
    if slowest:
        plain_log(latency, "y", min(slowest) / 1.5, max(slowest) * 1.3)
    for place, (name, each) in enumerate(runs.items()):
        minutes = [window.at_s / 60 for window in each.windows]
        rate.plot(minutes, [w.acked_per_s for w in each.windows], color=colour(name), lw=1.3)
        latency.plot(minutes, [w.p99_ms or float("nan") for w in each.windows], color=colour(name), lw=1.3)
        _draw_marks(latency, name, [mark.at_s / 60 for mark in each.marks], place)
    rate.set_ylim(bottom=0)
    rate.set_ylabel("acknowledged/s")
    latency.set_ylabel("99 % within, ms")
    latency.set_xlabel("minutes since the load began")
    name_lines(figure, runs, width_in)
    return figure


def _draw_marks(axes: Axes, name: str, minutes: Sequence[float], place: int) -> None:
    """Draw marks at the bottom, one line of marks per architecture."""
    axes.plot(
        minutes,
        [0.03 + 0.06 * place] * len(minutes),
        "^",
        color=colour(name),
        ms=4,
        transform=axes.get_xaxis_transform(),
    )


def _table(runs: Sequence[Sustained]) -> Table:
    headings = (
        "architecture",
        "arrivals/s",
        "minutes",
        "50 %, ms",
        "99 %, ms",
        "slowest, ms",
        "not sent",
        "memory, MiB",
    )
    return Table((*headings, "audit"), [_row(each) for each in runs])


def _row(each: Sustained) -> tuple[str, ...]:
    latency, shown = each.latency_ms, each.verdict == "passed"
    figures = (latency.p50, latency.p99, latency.max) if latency and shown else (None, None, None)
    return (
        each.architecture,
        number(each.rate_per_s),
        number(each.duration_s / 60),
        *map(number, figures),
        number(each.dropped_iterations) if shown else NOTHING,
        number(sum(each.memory_mib_max.values())) if each.memory_mib_max and shown else NOTHING,
        f"{each.verdict}: {each.why}" if each.why else each.verdict,
    )


def _in_words(runs: Mapping[str, Sustained]) -> str:
    return "; ".join(
        f"{name}: {number(each.rate_per_s)} arrivals per second for {number(each.duration_s / 60)} minutes, 99 % "
        f"within {number(each.latency_ms.p99 if each.latency_ms else None)} ms"
        for name, each in runs.items()
    )
