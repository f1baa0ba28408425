"""A small comparison on real stacks. Other tests cover the loads."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from wallet_lab.architectures.saga.adapter import ARCHITECTURE
from wallet_lab.checker.audit import audit_evidence, violations
from wallet_lab.checker.evidence import opened
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import Kind, PlannedRun, Session
from wallet_lab.comparison.runner import run_sessions
from wallet_lab.nemesis.faults import find as find_fault
from wallet_lab.nemesis.load import load as fault_load
from wallet_lab.report.model import Report
from wallet_lab.report.page import read_report
from wallet_lab.stack.backend import Backend, fresh_stack
from wallet_lab.workload.scenarios import Scenario, find

pytestmark = pytest.mark.slow


def planned(kind: Kind, scenario: Scenario) -> PlannedRun:
    """A step without a warm-up."""
    return PlannedRun(kind=kind, scenario=scenario, warm_up_s=0, estimate_s=1)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the evidence of the session."""
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def findings(evidence: Path) -> Findings:
    """The findings of one session: a load, a load that k6 does not know, and a fault."""
    unheard_of = Scenario(name="unheard-of", script="unheard-of")
    killed = PlannedRun(
        kind="fault",
        scenario=fault_load(rate_per_s=100, after_s=5),
        warm_up_s=0,
        estimate_s=1,
        fault=find_fault(ARCHITECTURE, "kill-worker"),
    )
    steps = (planned("scenario", find("hot-pair").lasting(1)), planned("scenario", unheard_of), killed)
    session = Session("saga", 1, steps, start_s=8)
    found = Findings()
    run_sessions(
        [session],
        found,
        lambda _session, _planned: None,
        lambda name: fresh_stack(name, Backend.NATIVE),
        evidence,
    )
    return found


def test_a_load_becomes_a_run_with_figures_and_a_passed_audit(findings: Findings) -> None:
    """If the audit of a load passed, its run has figures."""
    run = findings.runs[0]
    assert (run.architecture, run.scenario, run.repeat, run.verdict) == ("saga", "hot-pair", 1, "passed")
    assert run.acked_per_s
    assert run.audit
    assert run.audit.passed


def test_what_cannot_run_says_why_and_stops_nothing(findings: Findings) -> None:
    """If a load cannot run, its run has a reason and the later steps still run."""
    run = findings.runs[1]
    assert run.verdict == "not-run"
    assert "unheard-of" in run.why
    assert run.acked_per_s is None
    assert len(findings.recoveries) == 1


def test_a_fault_becomes_a_recovery_with_nothing_lost(findings: Findings) -> None:
    """If a worker is killed, clients notice it, calls succeed again, and the books have every acknowledged transfer."""
    recovery = findings.recoveries[0]
    assert (recovery.fault, recovery.verdict, recovery.lost) == ("kill-worker", "passed", 0)
    assert recovery.detected_s is not None
    assert recovery.first_success_s is not None
    assert recovery.detected_s < recovery.first_success_s
    assert recovery.audit
    assert recovery.audit.passed
    assert any(second.at_s < -2 for second in recovery.timeline)


@pytest.mark.usefixtures("findings")
def test_the_evidence_of_each_run_can_be_checked_again(evidence: Path) -> None:
    """Each audited run keeps its evidence in a folder of its own, which passes the same rules without a stack."""
    assert {folder.name for folder in evidence.iterdir()} == {"saga-1-hot-pair", "saga-1-kill-worker-100"}
    for folder in evidence.iterdir():
        assert violations(audit_evidence(folder)) == []
        with opened(folder) as database:
            assert database.execute("SELECT count(*) > 100 FROM calls").fetchall() == [(True,)]


def test_ctrl_c_stops_everything_and_writes_what_there_is(tmp_path: Path) -> None:
    """After Ctrl-C, `compare` exits with 130, marks the report as incomplete, and leaves no process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wallet_lab", "compare", "--quick", "--out", str(tmp_path / "out")],
        env={**os.environ, "WALLET_LAB_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "uniform-1k" in line:  # so one run is complete, and k6 is starting or running
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
    assert [run.scenario for run in report.runs][:1] == ["hot-pair"]
    assert "uniform-100k" not in json.dumps([run.scenario for run in report.runs])
    assert "Interrupted:" in (tmp_path / "out" / "report.html").read_text()
