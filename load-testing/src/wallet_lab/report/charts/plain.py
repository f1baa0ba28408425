"""Tables without a figure: the size of the architectures, and the hops between a write and its readers."""

from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.decisions import PROPERTIES, parts_of
from wallet_lab.report.model import Delay, Report
from wallet_lab.report.selection import architectures
from wallet_lab.report.table import Table
from wallet_lab.report.wording import NOTHING, number, with_interval
from wallet_lab.statistics.summaries import quantile


def size(report: Report) -> Exhibit | None:
    """List the parts that a team operates, and the code that it reads."""
    if not report.sizes:
        return None
    rows = [
        (
            each.architecture,
            number(parts_of(each)),
            _counts(each.services),
            _counts(each.servers),
            number(each.lines),
            number(each.kernel_lines),
            number(each.failure_modes),
        )
        for each in report.sizes
    ]
    headings = (
        "architecture",
        "processes",
        "services",
        "servers",
        "own lines",
        "lines of the kernel",
        "failure modes",
    )
    return Exhibit(
        name="size",
        title="Size",
        caption="Fewer is better. The processes are those of the measured stack. Lines are Python and SQL, without "
        "tests and migrations. A failure mode is a kind of component that a fault can hit; docs/runbook.md describes "
        "each.",
        table=Table(headings, rows),
    )


def _counts(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or NOTHING


def properties(report: Report) -> Exhibit | None:
    """List which design meets which need."""
    names = [name for name in architectures(report) if name in report.properties]
    rows = [
        (need, *("yes" if key in report.properties[name] else "no" for name in names))
        for key, need in PROPERTIES.items()
    ]
    if not names:
        return None
    return Exhibit(
        name="properties",
        title="Properties of the designs",
        caption="These follow from the design, not from a measurement. All architectures keep the same contract, which "
        "includes statements and past balances.",
        table=Table(("need", *names), rows),
    )


def hops(report: Report) -> Exhibit | None:
    """List how long a write takes from each place to the next."""
    groups: dict[tuple[str, str], list[Delay]] = {}
    for each in report.consistency_delay_ms:
        if each.hops_p50_ms:
            groups.setdefault((each.load, each.architecture), []).append(each)
    rows = [
        (
            *group,
            hop,
            with_interval(quantile([each.hops_p50_ms[hop] for each in found if hop in each.hops_p50_ms])),
        )
        for group, found in groups.items()
        for hop in found[0].hops_p50_ms
    ]
    if not rows:
        return None
    return Exhibit(
        name="hops",
        title="Consistency delay by hop",
        caption="Less is better. A figure is the median of the repeats' medians. The table leaves out architectures in "
        "which a write reaches its readers in one hop.",
        table=Table(("load", "architecture", "hop", "ms"), rows),
    )
