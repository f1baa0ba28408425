"""A figure of the responses that clients received."""

from matplotlib.patches import Patch

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.style import new_figure
from wallet_lab.report.model import Outcomes, Report
from wallet_lab.report.selection import CEILING, SWEEP, architectures, runs_of, scenarios
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING, number

# Colours of neither architecture; hatches distinguish them without colour.
_KINDS = {
    "success": ("#009E73", ""),
    "pending": ("#56B4E9", "//"),
    "refused": ("#F0E442", ".."),
    "rejected": ("#BBBBBB", "\\\\"),
    "unknown": ("#CC79A7", "xx"),
    "error": ("#000000", ""),
}
_MEANING = {
    "success": "success",
    "pending": "pending",
    "refused": "refused (compensated)",
    "rejected": "rejected, not done",
    "unknown": "unknown to the client",
    "error": "error",
}


def outcomes(report: Report) -> Exhibit | None:
    """Draw one bar per scenario and architecture over all repeats, failed runs included."""
    bars = {
        (scenario, name): counts
        for scenario in scenarios(report)
        for name in (*architectures(report), *((CEILING,) if scenario == SWEEP else ()))
        if any((counts := _counts([run.outcomes for run in runs_of(report, name, scenario)])).values())
    }
    if not bars:
        return None
    figure, (axes,) = new_figure(0.9 + 0.27 * len(bars))
    for row, counts in enumerate(bars.values()):
        left = 0.0
        for kind, count in counts.items():
            share = 100 * count / sum(counts.values())
            fill, hatch = _KINDS[kind]
            axes.barh(row, share, 0.8, left=left, color=fill, hatch=hatch, edgecolor="white", linewidth=0)
            left += share
    axes.set_yticks(range(len(bars)), [f"{scenario}  {name}" for scenario, name in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of all calls")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    seen = [kind for kind in _KINDS if any(counts[kind] for counts in bars.values())]
    patches = [
        Patch(facecolor=_KINDS[k][0], hatch=_KINDS[k][1], edgecolor="white", label=_MEANING[k]) for k in seen
    ]
    figure.legend(handles=patches, loc="outside upper left", ncols=len(patches))
    return Exhibit(
        name="outcomes",
        title="Outcomes",
        caption="Responses that clients received, all repeats together. Only success counts as throughput. Refused "
        "transfers had no net effect: the saga compensates, cqrs decides before it writes.",
        alt="Stacked bars: the share of each outcome in all calls, by scenario and architecture.",
        figure=figure,
        table=_table(bars, report),
    )


def _counts(each: list[Outcomes]) -> dict[str, int]:
    return {
        "success": sum(o.success for o in each),
        "pending": sum(o.pending for o in each),
        "refused": sum(sum(o.refused.values()) for o in each),
        "rejected": sum(o.rejected for o in each),
        "unknown": sum(o.unknown for o in each),
        "error": sum(o.error for o in each),
    }


def _table(bars: dict[tuple[str, str], dict[str, int]], report: Report) -> Table:
    rows = [
        (*group, *map(number, counts.values()), _reasons(report, *group)) for group, counts in bars.items()
    ]
    return Table(("scenario", "architecture", *_MEANING.values(), "refused for"), rows)


def _reasons(report: Report, scenario: str, name: str) -> str:
    reasons: dict[str, int] = {}
    for run in runs_of(report, name, scenario):
        for reason, count in run.outcomes.refused.items():
            reasons[reason] = reasons.get(reason, 0) + count
    return ", ".join(f"{reason} {number(count)}" for reason, count in reasons.items()) or NOTHING
