"""A small comparison on real stacks. Other tests cover the loads."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from wallet_lab.architectures import control, find
from wallet_lab.checker.audit import audit_evidence, violations
from wallet_lab.checker.evidence import opened
from wallet_lab.comparison.blocks import blocks
from wallet_lab.comparison.build_report import exit_code
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import (
    CAPACITY,
    QUICK,
    SUSTAINED,
    Choice,
    Contest,
    Plan,
    plan,
)
from wallet_lab.comparison.runner import run_plan
from wallet_lab.report.model import HALF_CAPACITY, Report, Run
from wallet_lab.report.page import read_report
from wallet_lab.stack.backend import Backend, fresh_stack
from wallet_lab.workload.scenarios import Scenario

pytestmark = pytest.mark.slow

EXTENT = replace(
    QUICK,
    blocks=2,
    other_blocks=1,
    gateway_blocks=1,
    load_s=1.0,
    warm_up_s=0.0,
    again_max=0,
    probe_s=1.0,
    resolution=1.2,
    sustained_s=4.0,
    restarts=True,
)


def small_plan() -> Plan:
    """Two architectures, one scenario of two blocks, a scenario that k6 does not know, and what needs the capacity."""
    choice = Choice((find("saga"), find("acid")), ("uniform-1k", CAPACITY, HALF_CAPACITY, SUSTAINED))
    planned = plan(EXTENT, choice, control())
    unheard_of = Scenario(name="unheard-of", script="unheard-of")
    broken = Contest(
        scenario=unheard_of,
        control=unheard_of,
        blocks=blocks("unheard-of", ("saga", "acid"), "noop", 1),
        warm_up_s=0,
        again_max=0,
    )
    return replace(planned, steps=(*planned.steps, broken))


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the evidence of the comparison."""
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def findings(evidence: Path) -> Findings:
    """The findings of a small comparison."""
    found = Findings()
    run_plan(
        small_plan(),
        found,
        lambda _what, _seconds: None,
        lambda name: fresh_stack(name, Backend.NATIVE, gateway=True),
        evidence,
    )
    return found


def runs_of(findings: Findings, scenario: str) -> list[Run]:
    """Return the runs of a scenario."""
    return [run for run in findings.runs if run.scenario == scenario]


def test_blocks_become_runs_with_figures_and_one_audit(findings: Findings) -> None:
    """Every load of a block is a run with figures. All runs of an architecture in a scenario share one audit."""
    runs = runs_of(findings, "uniform-1k")
    assert {run.verdict for run in runs} == {"passed"}, [run.why for run in runs]
    assert all(run.acked_per_s for run in runs)
    direct = [(run.block, run.architecture, run.again) for run in runs if run.route == "direct"]
    assert sorted(direct) == [
        *((1, "acid", False), (1, "noop", False), (1, "noop", True), (1, "saga", False), (1, "saga", True)),
        *((2, "acid", False), (2, "acid", True), (2, "noop", False), (2, "noop", True), (2, "saga", False)),
    ]
    audits = [run.audit for run in runs if run.architecture == "saga"]
    assert audits[0]
    assert all(audit is audits[0] for audit in audits)


def test_gateway_costs_server_cpu(findings: Findings) -> None:
    """Runs through the gateway use more of its CPU than direct runs, in which it is idle."""
    used: dict[str, list[float]] = {"direct": [], "gateway": []}
    for run in runs_of(findings, "uniform-1k"):
        assert run.server_cpu_ms_per_transfer
        used[run.route].append(run.server_cpu_ms_per_transfer.by_component["gateway"])
    assert min(used["gateway"]) > max(used["direct"])


def test_search_probes_rates_until_the_end(findings: Findings) -> None:
    """Each architecture gets a search with its probes and an audit of its own."""
    assert [(each.architecture, each.verdict) for each in findings.capacities] == [
        ("saga", "passed"),
        ("acid", "passed"),
    ]
    for each in findings.capacities:
        assert len({probe.rate_per_s for probe in each.probes}) > 1
        assert each.audit


def test_loads_that_depend_on_the_capacity_have_their_rate_or_a_reason(findings: Findings) -> None:
    """At half capacity all architectures get the same rate; without a capacity, the runs give the reason."""
    known = [findings.capacity_per_s(name) for name in ("saga", "acid")]
    runs = runs_of(findings, HALF_CAPACITY)
    if None in known:  # this machine is too busy for 50 ms
        assert all("there is no capacity of" in run.why for run in runs)
        return
    (rate,) = {run.offered_per_s for run in runs if run.architecture != "noop"}
    assert rate == round(min(each for each in known if each) / 2)
    assert {(each.architecture, each.verdict) for each in findings.sustained} == {
        ("saga", "passed"),
        ("acid", "passed"),
    }
    assert all(each.windows[0].acked_per_s > 0 for each in findings.sustained)


def test_idle_stacks_are_measured(findings: Findings) -> None:
    """The pause shows the resources that each stack takes from its neighbours."""
    assert findings.idle_cpu_percent.keys() == {"noop", "saga", "acid"}
    assert all(0 <= percent < 100 for percent in findings.idle_cpu_percent.values())


def test_part_that_cannot_run_gives_reasons_and_fails_the_comparison(findings: Findings) -> None:
    """If k6 does not know a scenario, its runs have the reason, the others have figures, and the exit code is 1."""
    runs = runs_of(findings, "unheard-of")
    assert {run.verdict for run in runs} == {"not-run"}
    assert all("unheard-of is none of" in run.why for run in runs)
    assert exit_code(findings) == 1


@pytest.mark.usefixtures("findings")
def test_evidence_of_each_audit_can_be_checked_again(evidence: Path) -> None:
    """Each audit keeps the calls of all its loads, which pass the same rules without a stack."""
    names = {folder.name for folder in evidence.iterdir()}
    assert {"saga-uniform-1k", "acid-uniform-1k", "saga-capacity-1", "acid-capacity-1"} <= names
    folder = evidence / "saga-uniform-1k"
    assert violations(audit_evidence(folder)) == []
    with opened(folder) as database:
        loads = database.execute("SELECT count(DISTINCT load) FROM calls").fetchall()
    assert loads == [(4,)]  # two blocks, one second run, one through the gateway


def test_ctrl_c_stops_everything_and_writes_what_there_is(tmp_path: Path) -> None:
    """After Ctrl-C, `compare` exits with 130, marks the report as incomplete, and leaves no process."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "wallet_lab", "compare", "--arch", "acid", "--blocks", "1"),
            *("--duration", "1", "--scenario", "uniform-1k,reads", "--out", str(tmp_path / "out")),
        ],
        env={**os.environ, "WALLET_LAB_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "reads, block" in line:  # so the first scenario is complete, and k6 is starting or running
            break
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) > 3
    process.send_signal(signal.SIGINT)
    said = process.stdout.read()
    assert process.wait(60) == 130
    assert "Interrupted" in said
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    report: Report = read_report(tmp_path / "out" / "report.json")
    assert not report.complete
    assert {run.scenario for run in report.runs} == {"uniform-1k"}
    assert "reads" not in json.dumps([run.scenario for run in report.runs])
    assert "Interrupted:" in (tmp_path / "out" / "report.html").read_text()
