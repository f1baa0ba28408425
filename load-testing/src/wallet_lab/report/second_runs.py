"""The A/A test of a report: how far apart two runs of the same architecture in the same block are. Pure."""

from collections.abc import Iterable

from wallet_lab.report.model import Report, Run
from wallet_lab.report.quantities import CPU, P50, P99, PRICE, READS, THROUGHPUT, Measure, is_paced
from wallet_lab.statistics.again import Again, judge
from wallet_lab.statistics.differences import Difference, paired

CONTESTED = (P50, P99, THROUGHPUT, READS, PRICE)
"""The figures of a block in which architectures can be ahead."""

OVERALL = "server CPU"
"""The figure of the ratio of all second runs to all first ones."""

_Pairs = dict[tuple[str, int], tuple[Run, Run]]
"""The first and the second run, by scenario and block."""


def second_runs(report: Report, control: str) -> Again | None:
    """Apply the report's decisions to the second runs of its blocks, without those of the control.

    Returns None if no scenario has enough blocks with a second run.
    """
    pairs = _pairs(run for run in report.runs if run.architecture != control and run.verdict == "passed")
    cells = {
        (scenario, measure.name): found
        for scenario in dict.fromkeys(scenario for scenario, _block in pairs)
        for measure in CONTESTED
        if (found := _compare({key: each for key, each in pairs.items() if key[0] == scenario}, measure))
    }
    return judge(cells, _compare(pairs, CPU))


def _pairs(runs: Iterable[Run]) -> _Pairs:
    """Return the pairs. Only one architecture runs twice in a block, and never through the gateway."""
    direct = [run for run in runs if run.route == "direct"]
    firsts = {(run.scenario, run.block, run.architecture): run for run in direct if not run.again}
    return {
        (run.scenario, run.block): (first, run)
        for run in direct
        if run.again and (first := firsts.get((run.scenario, run.block, run.architecture)))
    }


def _compare(pairs: _Pairs, measure: Measure) -> Difference | None:
    """Return the ratio of the second runs to the first ones."""
    first, second = ({key: _figure(both[place], measure) for key, both in pairs.items()} for place in (0, 1))
    return paired(second, first)


def _figure(run: Run, measure: Measure) -> float | None:
    """Return the figure; None for the throughput of clients that pause, because the pauses decide it."""
    return None if measure is THROUGHPUT and is_paced(run) else measure.of(run)
