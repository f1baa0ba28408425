"""A figure of the responses that clients received, for loads in which not every call succeeded."""

from collections.abc import Mapping
from functools import partial

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.charts.strips import HEADING_IN, ROW_IN, heading
from wallet_lab.report.charts.style import PAPER, is_narrow, new_figure
from wallet_lab.report.model import Outcomes, Report, Run
from wallet_lab.report.quantities import scene_of
from wallet_lab.report.selection import CEILING, is_load
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING, number

SHOWN_FROM = 0.005
"""A load is shown if a larger share of its calls had no success."""

# Hatches distinguish them without colour.
_KINDS = {
    "success": ("#009E73", ""),
    "pending": ("#56B4E9", "//"),
    "refused": ("#F0E442", ".."),
    "rejected": ("#BBBBBB", "\\\\"),
    "unknown": ("#CC79A7", "xx"),
    "error": ("#7A1F1F", ""),
}
_MEANING = {
    "success": "success",
    "pending": "pending",
    "refused": "refused",
    "rejected": "rejected, not done",
    "unknown": "unknown to the client",
    "error": "error",
}
Bars = Mapping[tuple[str, str], Mapping[str, int]]
"""Number of calls by load and architecture, then by outcome."""


def outcomes(report: Report) -> Exhibit | None:
    """Draw one bar per load and architecture over all blocks, failed runs included."""
    runs = _grouped(report)
    counted = {group: _counts([run.outcomes for run in each]) for group, each in runs.items()}
    scenes = {scene for (scene, _), counts in counted.items() if _without_success(counts) > SHOWN_FROM}
    bars = {group: counts for group, counts in counted.items() if group[0] in scenes and any(counts.values())}
    if not bars:
        return None
    return Exhibit(
        name="outcomes",
        title="Outcomes",
        caption=f"Loads in which more than {100 * SHOWN_FROM:g} % of the calls had no success, all blocks together. "
        "Only success counts as throughput. A refused transfer has no net effect.",
        alt=f"Stacked bars of outcomes, by load and architecture. {_in_words(bars)}",
        draw=partial(_draw, bars),
        table=_table(bars, runs),
    )


def _grouped(report: Report) -> dict[tuple[str, str], list[Run]]:
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in report.runs:
        if is_load(run) and not run.again and run.architecture != CEILING:
            groups.setdefault((scene_of(run), run.architecture), []).append(run)
    return groups


def _counts(each: list[Outcomes]) -> dict[str, int]:
    return {
        "success": sum(o.success for o in each),
        "pending": sum(o.pending for o in each),
        "refused": sum(sum(o.refused.values()) for o in each),
        "rejected": sum(o.rejected for o in each),
        "unknown": sum(o.unknown for o in each),
        "error": sum(o.error for o in each),
    }


def _without_success(counts: Mapping[str, int]) -> float:
    total = sum(counts.values())
    return 1 - counts["success"] / total if total else 0.0


def _draw(bars: Bars, width_in: float) -> Figure:
    seen = [kind for kind in _KINDS if any(counts[kind] for counts in bars.values())]
    columns = 2 if is_narrow(width_in) else len(seen)
    scenes = list(dict.fromkeys(scene for scene, _ in bars))
    height = len(scenes) * (HEADING_IN + ROW_IN / 3) + len(bars) * ROW_IN
    figure, (axes,) = new_figure(width_in, 0.75 + height + 0.2 * -(-len(seen) // columns))
    y, places = 0.0, {}
    for scene in scenes:
        heading(axes, y, scene)
        y += HEADING_IN
        for (where, name), counts in bars.items():
            if where != scene:
                continue
            left = 0.0
            for kind, count in counts.items():
                share, (fill, hatch) = 100 * count / sum(counts.values()), _KINDS[kind]
                axes.barh(
                    y, share, 0.8 * ROW_IN, left=left, color=fill, hatch=hatch, edgecolor=PAPER, linewidth=0
                )
                left += share
            places[y] = name
            y += ROW_IN
        y += ROW_IN / 3
    axes.set_yticks(list(places), list(places.values()))
    axes.set_ylim(y, -0.6 * ROW_IN)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of all calls")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    patches = [
        Patch(facecolor=_KINDS[k][0], hatch=_KINDS[k][1], edgecolor=PAPER, label=_MEANING[k]) for k in seen
    ]
    figure.legend(handles=patches, loc="outside upper left", ncols=columns, fontsize=8.5)
    return figure


def _table(bars: Bars, runs: Mapping[tuple[str, str], list[Run]]) -> Table:
    rows = [(*group, *map(number, counts.values()), _reasons(runs[group])) for group, counts in bars.items()]
    return Table(("load", "architecture", *_MEANING.values(), "refused for"), rows)


def _reasons(runs: list[Run]) -> str:
    reasons: dict[str, int] = {}
    for run in runs:
        for reason, count in run.outcomes.refused.items():
            reasons[reason] = reasons.get(reason, 0) + count
    return ", ".join(f"{reason} {number(count)}" for reason, count in reasons.items()) or NOTHING


def _in_words(bars: Bars) -> str:
    return "; ".join(
        f"{scene}, {name}: {100 * (1 - _without_success(counts)):.1f} % success"
        for (scene, name), counts in bars.items()
    )
