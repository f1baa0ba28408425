"""The ancestor's bugs, planted in a copy of the sources: each makes a run fail its audit and lose its figures."""

import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from wallet_lab.stack.home import checkout
from wallet_lab.stack.native import running_stack
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.command import describe_run
from wallet_lab.workload.run import run_scenario
from wallet_lab.workload.scenarios import Scenario, find

pytestmark = pytest.mark.slow

BUGS: dict[str, list[dict[str, str]]] = tomllib.loads(
    Path(__file__).with_name("planted_bugs.toml").read_text()
)
SOURCES = {"saga": "saga/src", "cqrs": "event-driven-cqrs/src"}
WRONG_BALANCES = {"every balance is what its clients were told"}


@contextmanager
def stack_with(bug: str, architecture: str, target: Path) -> Iterator[RunningStack]:
    """A stack whose services run a changed copy of their sources."""
    source = SOURCES[architecture]
    shutil.copytree(checkout() / source, target / source, ignore=shutil.ignore_patterns("__pycache__"))
    for change in BUGS[bug]:
        text = (target / change["file"]).read_text()
        found = text.count(change["replace"])
        assert found == 1, (
            f"adapt the bug to the code: the snippet occurs {found} times:\n{change['replace']}"
        )
        (target / change["file"]).write_text(text.replace(change["replace"], change["by"]))
    with running_stack(architecture, extra_env={"*": {"PYTHONPATH": os.fspath(target / source)}}) as stack:
        yield stack


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
    with stack_with(bug, architecture, tmp_path) as stack:
        run = run_scenario(stack, scenario.lasting(2), warm_up_s=0)
    assert run.verdict == "failed", run.why
    assert run.outcomes.success > 0, "no transfer succeeded, so the load proves nothing"
    assert run.audit is not None
    assert broken <= {check.name for check in run.audit.checks if not check.passed}
    figures = (run.acked_per_s, run.completed_per_s, run.latency_ms, run.server_cpu_ms_per_transfer)
    assert figures == (None, None, None, None)
    assert "withheld" in describe_run(run)
