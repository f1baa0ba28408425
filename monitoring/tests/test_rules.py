"""Prometheus' rules: they are valid, their tests pass, and every alert has a test and a runbook section."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
ALERTS = re.findall(r"- alert: (\w+)", (PROMETHEUS / "rules" / "alerts.yml").read_text())

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is missing: run `./lab up saga --monitoring` or `apt-get install prometheus`",
)


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs promtool and returns its result."""
    argv = ["promtool", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@needs_promtool
def test_rules_are_valid() -> None:
    """The rules are valid for promtool. Prometheus does not start with an invalid rule."""
    checked = promtool("check", "rules", *sorted((PROMETHEUS / "rules").glob("*.yml")))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
@pytest.mark.parametrize("file", sorted((PROMETHEUS / "tests").glob("*.yml")), ids=lambda file: file.stem)
def test_rules_pass_their_unit_tests(file: Path) -> None:
    """Each alert fires once after its fault and not before, with its labels and annotations."""
    tested = promtool("test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_test() -> None:
    """Every alert has a test in which it fires."""
    tests = (PROMETHEUS / "tests" / "alerts.yml").read_text()
    fired = re.findall(r"alertname: (\w+)\n +exp_alerts:\n +- exp_labels", tests)
    assert sorted(fired) == sorted(ALERTS)


def test_runbook_has_a_section_for_every_alert() -> None:
    """The runbook has one section per alert, and others only if they begin with "No alert". Alerts link to theirs."""
    sections = re.findall(
        r"^## (\w+)\n\n(?!No alert)", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE
    )
    assert sections == ALERTS
    links = re.findall(r"runbook: docs/runbook\.md#(\w+)", (PROMETHEUS / "rules" / "alerts.yml").read_text())
    assert links == [name.lower() for name in ALERTS]
