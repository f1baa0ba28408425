"""Services that lie, on real stacks: the checker finds each lie, and the run has no figures."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_support.builds import SOURCES, Change, stack_with

from wallet_lab.checker.check import rules
from wallet_lab.stack.files.home import checkout
from wallet_lab.testing.parts import is_in_part
from wallet_lab.workload.run import run_scenario
from wallet_lab.workload.scenarios import find

BUILDS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("wrong_builds.toml").read_text())
LOAD_S = 3.0


def builds() -> Iterator[tuple[str, str, list[Change]]]:
    """Yield each wrong build for each architecture that can have it, with its changes."""
    for name, build in BUILDS.items():
        for architecture in SOURCES:
            shared = "both" if architecture in {"saga", "cqrs"} else "baselines"
            if changes := build.get(shared) or build.get(architecture):
                yield name, architecture, changes


def test_every_wrong_build_fits_the_code() -> None:
    """The snippet that a wrong build replaces occurs exactly once, so this test notices a change of the services."""
    for name, _, changes in builds():
        for change in changes:
            found = (checkout() / change["file"]).read_text().count(change["replace"])
            assert found == 1, (
                f"{name}: the snippet occurs {found} times in {change['file']}:\n{change['replace']}"
            )


def test_every_wrong_build_names_a_rule() -> None:
    """The rule that must find a wrong build exists."""
    names = {rule.name for rule in rules()}
    assert [name for name, build in BUILDS.items() if build["rule"] not in names] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "architecture", "changes"),
    [build for build in builds() if is_in_part(f"{build[0]} {build[1]}")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lying_service_is_found(name: str, architecture: str, changes: list[Change], tmp_path: Path) -> None:
    """If a service lies, a bank's load of three seconds fails the audit by the lie's rule and has no figures."""
    with stack_with(changes, architecture, tmp_path) as stack:
        run = run_scenario(stack, find("bank").lasting(LOAD_S), warm_up_s=0)
    assert run.verdict == "failed", run.why
    assert run.outcomes.success > 0, "no transfer succeeded, so the load proves nothing"
    assert (run.acked_per_s, run.completed_per_s, run.latency_ms) == (None, None, None)
    assert run.audit is not None
    (found,) = [check for check in run.audit.checks if check.name == BUILDS[name]["rule"]]
    assert not found.passed, run.audit
    assert all(re.search(r"\b(call \d|wallet )", sentence) for sentence in found.violations), found.violations
