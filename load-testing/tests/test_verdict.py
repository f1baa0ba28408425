"""Turns a measurement and its audit into a run: if the audit failed, the run has no figures."""

import dataclasses

import msgspec
import pytest
from lab_support.measured import measurement

from wallet_lab.report.model import Audit, Check, Run
from wallet_lab.workload.command import describe_run
from wallet_lab.workload.k6 import Summary, deviations
from wallet_lab.workload.scenarios import find
from wallet_lab.workload.series import answers
from wallet_lab.workload.verdict import judge, judge_delay, judge_steps

FACTS = {
    *("architecture", "scenario", "repeat", "verdict", "why", "started_at", "duration_s", "clients"),
    *("offered_per_s", "outcomes", "audit", "block", "again", "route", "paced"),
}
"""The fields that a run with a failed audit may have; all others are performance figures."""
GOOD = Audit(passed=True, checks=[Check(name="money is conserved", passed=True)], settled_s=0.1)
BAD = Audit(
    passed=False,
    checks=[
        Check(name="money is conserved", passed=False, found=2, violations=["USD: 1 micro is gone", "…"])
    ],
    settled_s=0.1,
)


def test_figures_are_per_acknowledged_transfer() -> None:
    """Costs are divided by all acknowledgements; throughput counts only those before the load's end."""
    run = judge(measurement(), GOOD, 1)
    assert (run.verdict, run.why) == ("passed", "")
    assert run.acked_per_s == 100.0
    assert run.completed_per_s == pytest.approx(201 / (2.004 + 0.5))
    assert run.server_cpu_ms_per_transfer is not None
    assert run.server_cpu_ms_per_transfer.by_component == pytest.approx({"worker": 1.0, "postgres": 2.0})
    assert run.server_cpu_ms_per_transfer.total == pytest.approx(3.0)
    assert run.disk_bytes_per_transfer is not None
    assert run.disk_bytes_per_transfer.total == pytest.approx(10.0)
    assert run.network_bytes_per_transfer is not None
    assert run.network_bytes_per_transfer.total == pytest.approx(20.0)
    assert run.broker_messages_per_transfer == pytest.approx(2.0)
    assert run.client_cpu_percent == pytest.approx(20.0)
    assert run.other_cpu_percent == pytest.approx(100 * (3.0 - 0.603 - 1.0) / 5.0)


def test_transfers_and_reads_of_one_load_are_reported_apart() -> None:
    """In `mixed`, transfers and reads have a throughput each, and costs are per call of either kind."""
    run = judge(measurement("mixed"), GOOD, 1)
    assert run.acked_per_s == pytest.approx(100)
    assert run.reads is not None
    assert run.reads.acked_per_s == pytest.approx(900)
    assert run.outcomes.success == 201
    assert run.server_cpu_ms_per_transfer is not None
    assert run.server_cpu_ms_per_transfer.total == pytest.approx(603 / 2001)


def test_mixed_throughput_counts_reads_and_transfers() -> None:
    """In `reads`, throughput and outcomes are those of the reads."""
    run = judge(measurement("reads"), GOOD, 1)
    assert (run.acked_per_s, run.outcomes.success, run.reads) == (900, 1800, None)


def test_failed_audit_leaves_no_figure() -> None:
    """If the audit failed, every field but the listed facts has its default, including fields added later."""
    run = judge(measurement(), BAD, 1)
    assert (run.verdict, run.why) == ("failed", "money is conserved: USD: 1 micro is gone")
    defaults = {field.name: field.default for field in msgspec.structs.fields(Run)}
    left = {name for name in defaults.keys() - FACTS if getattr(run, name) != defaults[name]}
    assert left == set()
    assert all(default is None for name, default in defaults.items() if name not in FACTS)


def test_line_of_a_failed_run_has_no_figures() -> None:
    """If the audit failed, the line says that the figures are withheld and why, and contains no figure."""
    line = describe_run(judge(measurement(), BAD, 1))
    assert "withheld" in line
    assert "USD: 1 micro is gone" in line
    assert "acknowledged/s" not in line
    assert "acknowledged/s" in describe_run(judge(measurement(), GOOD, 1))


def test_run_without_books_has_figures() -> None:
    """A run of noop has figures although it has no audit."""
    run = judge(dataclasses.replace(measurement(), architecture="noop"), None, 1)
    assert (run.verdict, run.audit, run.acked_per_s) == ("passed", None, 100.0)


def test_steps_of_a_sweep_share_its_audit() -> None:
    """Each step of a sweep has its own rate and calls; one failed audit withholds all steps."""
    first, second = judge_steps(measurement("sweep"), GOOD, 1)
    assert (first.scenario, first.offered_per_s, first.acked_per_s) == ("sweep-250", 250, 50.0)
    assert (second.scenario, second.offered_per_s, second.acked_per_s) == ("sweep-500", 500, 50.5)
    assert [run.acked_per_s for run in judge_steps(measurement("sweep"), BAD, 1)] == [None, None]


def test_delay_is_reported_only_after_a_passed_audit() -> None:
    """If the audit failed, there is no consistency delay."""
    delay = judge_delay(measurement("consistency"), GOOD, 1, "idle")
    assert delay is not None
    assert (delay.p50, delay.samples, delay.load) == (1, 9, "idle")
    assert judge_delay(measurement("consistency"), BAD, 1, "idle") is None


def test_failed_k6_check_fails_the_audit() -> None:
    """A failed check of k6, such as a stale read, fails the audit; an unknown outcome alone does not."""
    load = measurement().load
    crossed = ["wallet_transfers{outcome:unknown} count==0", "checks rate==1"]
    stale = dataclasses.replace(load, summary=msgspec.structs.replace(load.summary, crossed=crossed))
    assert answers([load]).passed
    assert (answers([load, stale]).passed, answers([load, stale]).found) == (False, 1)


def as_asked(name: str, **measured: float) -> Summary:
    """Return k6's summary of ten seconds of this scenario, with the given differences."""
    scenario = find(name)
    counts = {"clients_max": scenario.clients_max, "iterations": int(scenario.arrivals or 9000)}
    summary = measurement().load.summary
    return msgspec.structs.replace(
        summary, **{"duration_s": 10.2, "dropped_iterations": 0, **counts, **measured}
    )


@pytest.mark.parametrize(
    ("name", "measured", "said"),
    [
        ("hot-pair", {}, []),
        ("hot-pair", {"clients_max": 1}, ["50 clients were requested and 1 measured"]),
        ("hot-pair", {"duration_s": 1.1}, ["10 s of load were requested and 1.1 s measured"]),
        ("hot-pair", {"duration_s": 70.0}, ["10 s of load were requested and 70.0 s measured"]),
        ("open", {"iterations": 3000, "dropped_iterations": 2000}, []),
        ("open", {"iterations": 3000}, ["5000 arrivals were requested and 3000 measured"]),
        ("consistency", {}, []),
        ("consistency", {"clients_max": 9}, ["1 clients were requested and 9 measured"]),
    ],
)
def test_load_that_differs_from_the_scenario_is_named(
    name: str, measured: dict[str, float], said: list[str]
) -> None:
    """If the clients, the duration or the arrivals differ from the scenario, the difference is named."""
    assert deviations(find(name), as_asked(name, **measured)) == said
