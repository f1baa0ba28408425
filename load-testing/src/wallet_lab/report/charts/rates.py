"""A figure of latency at rising arrival rates."""

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.legends import name_lines
from wallet_lab.report.charts.style import FAINT, colour, is_narrow, marker, new_figure, plain_log
from wallet_lab.report.model import FAILED_SHARE_MAX, LIMITS_MS, Probe, Report, Run
from wallet_lab.report.selection import by_architecture, is_step, missing
from wallet_lab.report.table import Table
from wallet_lab.report.wording import number

Points = Mapping[str, Sequence[Probe]]


def rates(report: Report) -> Exhibit | None:
    """Draw the 99th percentile of every rate that was tried, over the rate."""
    points = _of_searches(report) or _of_sweeps(report)
    if not points:
        return None
    return Exhibit(
        name="rates",
        title="Latency at rising rates",
        caption="Less is better. A point is one rate that was tried for some seconds. A hollow point does not count: "
        "at least 0.1 % of its arrivals failed or found no free client, and its latency does not contain these calls. "
        f"The dotted lines are the limits of {', '.join(f'{limit:g}' for limit in LIMITS_MS)} ms.",
        alt=f"99th percentile over the arrival rate, both axes logarithmic. {_in_words(points)}",
        draw=partial(_draw, points),
        table=_table(points),
    )


def _of_searches(report: Report) -> Points:
    found = by_architecture(each for each in report.capacities if each.route == "direct")
    return {
        name: probes
        for name, each in found.items()
        if not missing(each) and (probes := [p for search in each for p in search.probes if p.p99_ms])
    }


def _of_sweeps(report: Report) -> Points:
    found = by_architecture(run for run in report.runs if is_step(run))
    return {
        name: probes
        for name, each in found.items()
        if not missing(each) and (probes := [_probe(r) for r in each if r.latency_ms])
    }


def _probe(run: Run) -> Probe:
    rate = run.offered_per_s or 0.0
    return Probe(
        rate_per_s=rate,
        p50_ms=run.latency_ms.p50 if run.latency_ms else None,
        p99_ms=run.latency_ms.p99 if run.latency_ms else None,
        failed_share=max(0.0, 1 - run.outcomes.success / (rate * run.duration_s)) if rate else 0.0,
    )


def _draw(points: Points, width_in: float) -> Figure:
    figure, (axes,) = new_figure(width_in, 4.0 if is_narrow(width_in) else 3.9)
    every = [probe for each in points.values() for probe in each]
    slowest = [probe.p99_ms for probe in every if probe.p99_ms]
    tried = [probe.rate_per_s for probe in every]
    plain_log(axes, "x", min(tried) / 1.1, max(tried) * 1.15)
    plain_log(axes, "y", min(*slowest, LIMITS_MS[0]) / 1.3, max(*slowest, LIMITS_MS[-1]) * 1.3)
    for limit in LIMITS_MS:
        axes.axhline(limit, color=FAINT, linestyle=":", linewidth=1)
    for name, each in points.items():
        _scatter(axes, name, [p for p in each if p.failed_share < FAILED_SHARE_MAX], is_valid=True)
        _scatter(axes, name, [p for p in each if p.failed_share >= FAILED_SHARE_MAX], is_valid=False)
    axes.set_xlabel("arrivals per second")
    axes.set_ylabel("99 % within, ms")
    name_lines(figure, points, width_in)
    return figure


def _scatter(axes: Axes, name: str, probes: Sequence[Probe], *, is_valid: bool) -> None:
    axes.scatter(
        [probe.rate_per_s for probe in probes],
        [probe.p99_ms or 0 for probe in probes],
        s=18,
        marker=marker(name),
        facecolors=colour(name) if is_valid else "none",
        edgecolors=colour(name),
        linewidths=0.9,
        alpha=0.7,
    )


def _table(points: Points) -> Table:
    rows = [
        (
            name,
            number(probe.rate_per_s),
            number(probe.p50_ms),
            number(probe.p99_ms),
            f"{100 * probe.failed_share:.2f} %",
        )
        for name, each in points.items()
        for probe in sorted(each, key=lambda probe: probe.rate_per_s)
    ]
    return Table(("architecture", "arrivals/s", "50 %, ms", "99 %, ms", "failed or not sent"), rows)


def _in_words(points: Points) -> str:
    return "; ".join(
        f"{name}: {len(each)} rates from {number(min(p.rate_per_s for p in each))} to "
        f"{number(max(p.rate_per_s for p in each))} per second"
        for name, each in points.items()
    )
