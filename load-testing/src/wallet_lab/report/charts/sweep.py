"""A figure of acknowledged rate and latency at rising arrival rates."""

from dataclasses import dataclass

from matplotlib.axes import Axes

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import FAINT, colour, legend, marker, new_figure, plain_log
from wallet_lab.report.model import Report, Run
from wallet_lab.report.selection import SWEEP, is_step, missing, runs_of
from wallet_lab.report.selection import architectures as compared
from wallet_lab.report.statistics import Estimate, estimate
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number, with_interval


@dataclass(frozen=True, slots=True)
class _Point:
    offered_per_s: float
    acked_per_s: Estimate
    p50_ms: Estimate
    p95_ms: Estimate
    dropped: int


def sweep(report: Report) -> Exhibit | None:
    """Draw the acknowledged rate (left) and the latency (right) over the offered rate."""
    steps = {name: _steps(runs_of(report, name, SWEEP)) for name in compared(report)}
    steps = {name: found for name, found in steps.items() if found}
    if not steps:
        return None
    figure, (carried, paid) = new_figure(3.9, 1, 2)
    _draw_carried(carried, steps)
    _draw_paid(paid, steps)
    legend(figure, list(steps))
    return Exhibit(
        name="sweep",
        title="Throughput and latency at rising rates",
        caption="Left: while the line follows the diagonal, all offered calls are acknowledged. Where it leaves the "
        "diagonal, the architecture is saturated. Right: latency at the same rates; it rises steeply at saturation.",
        alt="Two line charts: acknowledged over offered rate with a diagonal, and latency over offered rate "
        f"on a logarithmic axis, for {', '.join(steps)}.",
        figure=figure,
        table=_table(steps),
    )


def _steps(runs: list[Run]) -> list[_Point]:
    if missing(runs):
        return []
    rates = sorted({run.offered_per_s for run in runs if is_step(run) and run.offered_per_s is not None})
    found = [_step(rate, [run for run in runs if run.offered_per_s == rate]) for rate in rates]
    return [step for step in found if step]


def _step(rate: float, runs: list[Run]) -> _Point | None:
    acked = estimate([run.acked_per_s for run in runs if run.acked_per_s is not None])
    p50 = estimate([run.latency_ms.p50 for run in runs if run.latency_ms])
    p95 = estimate([run.latency_ms.p95 for run in runs if run.latency_ms])
    if acked is None or p50 is None or p95 is None:
        return None
    return _Point(rate, acked, p50, p95, sum(run.dropped_iterations or 0 for run in runs))


def _draw_carried(axes: Axes, steps: dict[str, list[_Point]]) -> None:
    most = max(step.offered_per_s for found in steps.values() for step in found)
    axes.plot([0, most], [0, most], color=FAINT, linestyle=":", linewidth=1)
    axes.annotate(
        "all offered calls", (most, most), (-4, 2), textcoords="offset points", ha="right", color=FAINT
    )
    for name, found in steps.items():
        offered = [step.offered_per_s for step in found]
        axes.plot(offered, [s.acked_per_s.median for s in found], color=colour(name), marker=marker(name))
        band = [s.acked_per_s.low for s in found], [s.acked_per_s.high for s in found]
        axes.fill_between(offered, *band, color=colour(name), alpha=0.15, linewidth=0)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("offered per second")
    axes.set_ylabel("acknowledged per second")


def _draw_paid(axes: Axes, steps: dict[str, list[_Point]]) -> None:
    for name, found in steps.items():
        offered = [step.offered_per_s for step in found]
        axes.plot(offered, [s.p95_ms.median for s in found], color=colour(name), marker=marker(name))
        axes.plot(offered, [s.p50_ms.median for s in found], color=colour(name), linestyle="--", linewidth=1)
        band = [s.p95_ms.low for s in found], [s.p95_ms.high for s in found]
        axes.fill_between(offered, *band, color=colour(name), alpha=0.15, linewidth=0)
    plain_log(axes, "y")
    axes.set_xlim(left=0)
    axes.set_xlabel("offered per second")
    axes.set_ylabel("ms (logarithmic): 95 % solid, 50 % dashed")


def _table(steps: dict[str, list[_Point]]) -> Table:
    headings = (
        "architecture",
        "offered/s",
        "acknowledged/s",
        "50 %, ms",
        "95 %, ms",
        "never sent, all repeats",
    )
    rows = [
        (
            name,
            number(step.offered_per_s),
            with_interval(step.acked_per_s),
            with_interval(step.p50_ms),
            with_interval(step.p95_ms),
            number(step.dropped),
        )
        for name, found in steps.items()
        for step in found
    ]
    return Table(headings, rows)
