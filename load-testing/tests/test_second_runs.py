"""The A/A test of a report: the report's decisions, applied to two runs of the same architecture."""

from datetime import UTC, datetime

import msgspec
import pytest
from lab_support.synthetic import synthetic_report

from wallet_lab.report.model import Costs, Outcomes, Report, Route, Run, Verdict
from wallet_lab.report.second_runs import second_runs


def run(
    block: int,
    cpu_ms: float,
    *,
    again: bool = False,
    architecture: str = "saga",
    route: Route = "direct",
    verdict: Verdict = "passed",
) -> Run:
    """A run of one block with this CPU time per call."""
    return Run(
        architecture=architecture,
        block=block,
        again=again,
        route=route,
        scenario="reads",
        repeat=block,
        verdict=verdict,
        started_at=datetime(2000, 1, 1, tzinfo=UTC),
        duration_s=3.0,
        acked_per_s=1000 / cpu_ms,
        outcomes=Outcomes(),
        server_cpu_ms_per_transfer=Costs(total=cpu_ms, by_component={}),
    )


def report(runs: list[Run]) -> Report:
    """A report of these runs."""
    return msgspec.structs.replace(synthetic_report(), runs=runs)


@pytest.mark.parametrize(("factor", "false"), [(1.0, 0), (1.5, 2)])
def test_second_runs_differ_only_if_the_method_is_wrong(factor: float, false: int) -> None:
    """Equal pairs differ in no cell; pairs that differ in every block are false differences in each figure."""
    noise = (1.0, 1.01, 0.99, 1.02, 0.98, 1.01, 0.99, 1.0)
    runs = [
        each
        for block, jitter in enumerate(noise)
        for each in (run(block, 1.0), run(block, factor * jitter, again=True))
    ]
    found = second_runs(report(runs), "noop")
    assert found is not None
    assert (found.cells, found.false) == (2, false)
    assert found.ratio.ratio == pytest.approx(factor, rel=0.01)


def test_second_runs_of_the_control_and_of_failed_audits_do_not_count() -> None:
    """The control, withheld runs and runs through the gateway have no pair, and a second run needs its first one."""
    runs = [
        each
        for block in range(8)
        for each in (
            run(block, 1.0, architecture="noop"),
            run(block, 1.0, architecture="noop", again=True),
            run(block, 1.0, verdict="failed"),
            run(block, 1.0, route="gateway"),
            run(block, 1.0, again=True),
        )
    ]
    assert second_runs(report(runs), "noop") is None


def test_few_blocks_have_no_second_runs_to_judge() -> None:
    """A report with too few blocks, or an older one without second runs, has no A/A test."""
    runs = [each for block in range(3) for each in (run(block, 1.0), run(block, 1.0, again=True))]
    assert second_runs(report(runs), "noop") is None
    older = [each for each in synthetic_report().runs if not each.again]
    assert second_runs(report(older), "noop") is None
