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
"""A slow machine may not complete a load, or its load may contain no race of two batches. Then another load follows."""


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
        run = _first_failed(stack, scenario.lasting(2))
    assert run.verdict == "failed", describe_run(run)
    assert run.outcomes.success > 0, "no transfer succeeded, so the load proves nothing"
    assert run.audit is not None
    assert broken <= {check.name for check in run.audit.checks if not check.passed}, run.why
    figures = (run.acked_per_s, run.completed_per_s, run.latency_ms, run.server_cpu_ms_per_transfer)
    assert figures == (None, None, None, None)
    assert "withheld" in describe_run(run)


def _first_failed(stack: RunningStack, scenario: Scenario) -> Run:
    """Runs loads until one fails its audit, at most LOADS_MAX, and returns the last run."""
    run = run_scenario(stack, scenario, warm_up_s=0)
    for _ in range(LOADS_MAX - 1):
        if run.verdict == "failed":
            break
        run = run_scenario(stack, scenario, warm_up_s=0)
    return run
