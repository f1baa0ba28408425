"""The ancestor's bugs, planted in a copy of the sources: each makes a run fail its audit and lose its figures."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from lab_support.builds import Change, stack_with

from wallet_lab.report.model import Run
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.command import describe_run
from wallet_lab.workload.run import run_scenario
from wallet_lab.workload.scenarios import Scenario, find

pytestmark = pytest.mark.slow

BUGS: dict[str, list[Change]] = tomllib.loads(Path(__file__).with_name("planted_bugs.toml").read_text())
WRONG_BALANCES = {"every stored wallet is the fold of its postings"}
LOADS_MAX = 3
SUCCESSES_MIN = 100
"""A load that was not carried out, or with fewer successes, may contain no race of two batches. Another one follows."""


@pytest.mark.parametrize(
    ("bug", "architecture", "scenario", "broken"),
    [
        ("read-modify-write", "saga", find("hot-pair"), WRONG_BALANCES),
        # Few wallets, so that a wallet pays others while its compensation is in progress.
        ("compensation-by-absolute-value", "saga", replace(find("refusals"), wallets=10), WRONG_BALANCES),
        (
            "emit-without-outbox",
            "cqrs",
            find("hot-pair"),
            {"every stored wallet is the fold of its postings"},
        ),
    ],
    ids=BUGS,
)
def test_a_run_that_loses_money_has_no_figures(
    bug: str, architecture: str, scenario: Scenario, broken: set[str], tmp_path: Path
) -> None:
    """If the bug is planted, a load of two seconds fails the audit and no throughput is reported."""
    with stack_with(BUGS[bug], architecture, tmp_path) as stack:
        run = _first_sufficient(stack, scenario.lasting(2))
    assert run.verdict == "failed", describe_run(run)
    assert run.outcomes.success > 0, "no transfer succeeded, so the load proves nothing"
    assert run.audit is not None
    assert broken <= {check.name for check in run.audit.checks if not check.passed}, run.why
    figures = (run.acked_per_s, run.completed_per_s, run.latency_ms, run.server_cpu_ms_per_transfer)
    assert figures == (None, None, None, None)
    assert "withheld" in describe_run(run)


def _first_sufficient(stack: RunningStack, scenario: Scenario) -> Run:
    """Runs loads, at most LOADS_MAX, until one fails its audit or has enough successes; returns the last run.

    A run with enough successes that passes its audit is not repeated, because the audit must find the bug.
    """
    run = run_scenario(stack, scenario, warm_up_s=0)
    for _ in range(LOADS_MAX - 1):
        if run.verdict == "failed" or run.outcomes.success >= SUCCESSES_MIN:
            break
        run = run_scenario(stack, scenario, warm_up_s=0)
    return run
