"""The results of a comparison: the drift gate, the exit code, the CSV file, and the windows of long loads."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lab_support.measured import measurement
from lab_support.synthetic import synthetic_report

from wallet_lab.architectures import find
from wallet_lab.comparison import contest as contest_module
from wallet_lab.comparison.blocks import blocks
from wallet_lab.comparison.build_report import build_report, exit_code, failures, ratios
from wallet_lab.comparison.contest import run_contest
from wallet_lab.comparison.csv_file import HEADER, write_csv
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import Contest, Plan
from wallet_lab.comparison.runner import run_plan
from wallet_lab.comparison.stacks import running_stacks
from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import find as find_fault
from wallet_lab.nemesis.run import not_run as fault_not_run
from wallet_lab.record.calls import Call
from wallet_lab.report.model import Audit, Capacity, Check, Machine, Route, Run
from wallet_lab.stack.components import Entry
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.marks import Sample, marks
from wallet_lab.workload.measurement import Measurement, entry
from wallet_lab.workload.scenarios import SCENARIOS, Scenario
from wallet_lab.workload.sustained import windows

PASSED = Audit(passed=True, checks=[Check(name="money is conserved", passed=True)])
FAILED = Audit(
    passed=False, checks=[Check(name="money is conserved", passed=False, found=1, violations=["gone"])]
)


def contest(number: int = 2, again_max: int = 2) -> Contest:
    """Blocks of one scenario without a warm-up."""
    scenario = SCENARIOS["hot-pair"].lasting(2)
    return Contest(
        scenario=scenario,
        control=scenario,
        blocks=blocks("hot-pair", ("saga", "acid"), "noop", number),
        warm_up_s=0,
        again_max=again_max,
    )


class Scripted:
    """Replaces the loads of one stack: the control has the next of the given speeds, others have one speed."""

    speeds: list[float] = []  # noqa: RUF012 -- set by each test
    audits: dict[str, Audit | None] = {}  # noqa: RUF012 -- as above
    seeds: list[tuple[str, int]] = []  # noqa: RUF012 -- as above

    def __init__(self, stack: str, _scenario: Scenario, _folder: Path) -> None:
        """Take the architecture's name for its stack."""
        self.name = stack

    def measure(self, scenario: Scenario, route: Route = "direct") -> Measurement:
        """Return a measurement with as many acknowledgements as the speed says."""
        self.seeds.append((self.name, scenario.seed))
        speed = self.speeds.pop(0) if self.name == "noop" else 100.0
        calls = [Call(str(n), n * 1000 / speed, 1.0, "success", str(n)) for n in range(int(2 * speed))]
        return replace(measurement(), architecture=self.name, scenario=scenario, calls=calls, route=route)

    def audit(self, _keep: Path | None = None) -> Audit | None:
        """Return the given audit."""
        return self.audits.get(self.name)


def run(
    monkeypatch: pytest.MonkeyPatch,
    speeds: list[float],
    audits: dict[str, Audit | None] | None = None,
    missing: dict[str, str] | None = None,
) -> Findings:
    """Run two blocks with scripted loads."""
    monkeypatch.setattr(contest_module, "Series", Scripted)
    Scripted.speeds, Scripted.seeds = list(speeds), []
    Scripted.audits = {"saga": PASSED, "acid": PASSED, **(audits or {})}
    found, missing = Findings(), missing or {}
    stacks = {name: name for name in ("noop", "saga", "acid") if name not in missing}
    run_contest(contest(), "noop", stacks, missing, found, lambda _what, _s: None)  # type: ignore[arg-type]
    return found


def test_steady_blocks_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the controls of a block differ by at most 10 %, its runs count."""
    found = run(monkeypatch, [100, 105, 100, 95])
    assert len(found.runs) == 2 * 5
    assert (found.repeated_blocks, found.unsteady_blocks) == ({"hot-pair": 0}, {"hot-pair": 0})


def test_block_with_a_drift_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the controls of a block differ by more than 10 %, the block is measured again and only that counts."""
    found = run(monkeypatch, [100, 80, 100, 100, 100, 100])
    control = [round(each.acked_per_s or 0) for each in found.runs if each.architecture == "noop"]
    assert control == [100, 100, 100, 100]
    assert (found.repeated_blocks, found.unsteady_blocks) == ({"hot-pair": 1}, {"hot-pair": 0})


def test_repetitions_end_and_the_calmest_attempt_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the permitted repetitions, the attempt whose controls differ least is reported as unsteady."""
    found = run(monkeypatch, [100, 50, 100, 80, 100, 60, 100, 100])
    control = [round(each.acked_per_s or 0) for each in found.runs if each.architecture == "noop"]
    assert control == [100, 80, 100, 100]
    assert (found.repeated_blocks, found.unsteady_blocks) == ({"hot-pair": 2}, {"hot-pair": 1})


def test_all_runs_of_a_block_draw_the_same_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed of the draws is equal within a block and differs between blocks."""
    run(monkeypatch, [100, 100, 100, 100])
    assert [seed for _, seed in Scripted.seeds] == [1] * 5 + [2] * 5


def test_failed_audit_withholds_all_runs_of_its_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """One audit covers all loads of an architecture in a scenario, so its failure withholds all of their figures."""
    found = run(monkeypatch, [100, 100, 100, 100], {"saga": FAILED})
    assert {(each.architecture, each.verdict) for each in found.runs} == {
        ("noop", "passed"),
        ("acid", "passed"),
        ("saga", "failed"),
    }
    assert all(each.acked_per_s is None for each in found.runs if each.architecture == "saga")
    assert exit_code(found) == 1


def test_architecture_that_did_not_start_has_reasons_and_the_others_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If a stack did not start, its runs say so, the other architectures have figures, and the exit code is 1."""
    found = run(monkeypatch, [100, 100, 100, 100], missing={"saga": "no port is free"})
    why = {each.why for each in found.runs if each.verdict == "not-run"}
    assert why == {"no port is free"}
    assert {each.architecture for each in found.runs if each.verdict == "passed"} == {"noop", "acid"}
    assert exit_code(found) == 1
    assert failures(found) == ["saga, hot-pair: not-run. no port is free"]


def test_stack_that_does_not_start_is_missing_and_the_others_are_stopped() -> None:
    """A stack that does not start becomes a reason; the others run, and all are stopped at the end."""
    stopped = []

    @contextmanager
    def fresh(name: str) -> Iterator[RunningStack]:
        if name == "bad":
            raise LabError("it did not come up")
        yield name  # type: ignore[misc]
        stopped.append(name)

    with running_stacks(("one", "bad", "two"), fresh, lambda _name: None) as stacks:
        assert list(stacks.up) == ["one", "two"]
        with pytest.raises(LabError, match="bad did not start: it did not come up"):
            stacks.get("bad")
    assert stopped == ["two", "one"]


def test_stack_that_does_not_stop_fails_the_comparison_and_keeps_its_findings() -> None:
    """If a stack does not stop, the findings stay, and a sentence makes the exit code 1."""

    @contextmanager
    def fresh(name: str) -> Iterator[RunningStack]:
        yield name  # type: ignore[misc]
        if name == "saga":
            raise LabError("a process is left")

    found = Findings()
    run_plan(Plan(("saga",), "noop", (), 0.0), found, lambda _what, _s: None, fresh)
    assert found.not_run == ["A stack did not stop: a process is left"]
    assert exit_code(found) == 1


@dataclass(frozen=True)
class Place:
    """The addresses of a stack."""

    base_url: str
    direct: Entry
    architecture: str = "saga"


def test_route_through_the_gateway_needs_a_gateway() -> None:
    """Clients of the route `gateway` use the public address; without a gateway, an error says so."""
    services = Entry.at("http://127.0.0.1:1")
    behind = Place("http://127.0.0.1:2", services)
    assert entry(behind, "direct") == services  # type: ignore[arg-type]
    assert entry(behind, "gateway") == Entry.at("http://127.0.0.1:2")  # type: ignore[arg-type]
    with pytest.raises(LabError, match="has no gateway"):
        entry(Place("http://127.0.0.1:1", services), "gateway")  # type: ignore[arg-type]


def test_exit_code_needs_everything_to_pass() -> None:
    """The exit code is 0 only if everything ran, every audit passed, and there was an audit."""
    runs = synthetic_report().runs
    good = [run for run in runs if run.verdict == "passed"]
    assert exit_code(Findings(runs=good)) == 0
    assert exit_code(Findings(runs=runs)) == 1
    assert exit_code(Findings()) == 1
    assert exit_code(Findings(runs=good, not_run=["idle: why"])) == 1
    missing = Capacity(architecture="saga", repeat=1, verdict="not-run", why="k6 failed")
    assert exit_code(Findings(runs=good, capacities=[missing])) == 1
    assert failures(Findings(runs=good, capacities=[missing])) == ["saga, capacity: not-run. k6 failed"]


def test_ratios_are_of_transfers_in_closed_loops() -> None:
    """Ratios use only direct first runs of transfers in closed loops."""
    runs = [run for run in synthetic_report().runs if (run.architecture, run.scenario) != ("noop", "reads")]
    found = ratios(runs)
    assert found.noop.keys() == found.hot_over_uniform.keys() == {"saga", "cqrs", "acid"}
    assert 0.35 < found.noop["saga"] < 0.45
    assert ratios([]).noop == {}


def test_csv_has_a_row_for_each_run(tmp_path: Path) -> None:
    """The CSV file has one row per run; a withheld figure is empty."""
    report = synthetic_report()
    write_csv(report, tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(report.runs)
    assert tuple(rows[0]) == HEADER
    for row, each in zip(rows, report.runs, strict=True):
        assert (row["architecture"], row["scenario"]) == (each.architecture, each.scenario)
        assert row["acked_per_s"] == ("" if each.acked_per_s is None else str(each.acked_per_s))


def test_report_says_what_was_not_possible() -> None:
    """The report names shared cores, unsteady blocks, network cuts on processes, and parts that did not run."""
    killed = fault_not_run("saga", find_fault(find("saga"), "kill-worker"), 100.0, why="why")
    found = Findings(unsteady_blocks={"reads": 2}, not_run=["a pause without load: why"], faults=[killed])
    report = build_report(
        found,
        command="./lab compare",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        finished_at=datetime(2026, 1, 1, tzinfo=UTC),
        complete=True,
        machine=Machine(cpu="", cores=2, memory_mib=1, system="", kernel=""),
        versions={},
    )
    said = " ".join(report.not_measured)
    assert "a pause without load: why" in said
    assert "in 2 blocks" in said
    assert "k6 shared the cores" in said
    assert "Network cuts" in said


def test_windows_count_answers_by_their_time() -> None:
    """Each window has the answers of its time: a stall shows as a window of 0, a shorter last window as a rate."""
    calls = [Call(str(n), n * 100.0, 5.0, "success", str(n)) for n in range(100)]
    calls += [
        Call("late", 1000.0, 24_000.0, "success", "x"),
        Call("lost", 2000.0, 5.0, "unknown:timeout", None),
    ]
    found = windows(calls, 25.0)
    assert [(each.at_s, each.acked_per_s) for each in found] == [(0.0, 10.0), (10.0, 0.0), (20.0, 0.2)]
    assert (found[0].p99_ms, found[1].p99_ms) == (5.0, None)


def test_marks_are_the_moments_at_which_a_database_had_counted_more() -> None:
    """A checkpoint or vacuum is marked at the first sample that counts it; the first sample of all marks nothing."""
    samples = [
        Sample(0.0, "postgres-0", (3, 1)),
        Sample(0.0, "postgres-1", (0, 0)),
        Sample(2.0, "postgres-0", (3, 1)),
        Sample(2.0, "postgres-1", (1, 0)),
        Sample(4.0, "postgres-0", (4, 2)),
    ]
    assert [(mark.at_s, mark.what) for mark in marks(samples)] == [
        (2.0, "checkpoint of postgres-1"),
        (4.0, "checkpoint of postgres-0"),
        (4.0, "vacuum of postgres-0"),
    ]


def test_capacity_of_several_searches_is_their_median() -> None:
    """Other parts take their arrival rates from the median of the searches that passed."""
    rates = (100.0, 300.0, 200.0)
    found = Findings(
        capacities=[
            Capacity(architecture="saga", repeat=n, verdict="passed", rates_per_s={"50": rate})
            for n, rate in enumerate(rates)
        ]
    )
    assert found.capacity_per_s("saga") == 200.0
    assert found.capacity_per_s("acid") is None
    slow = Capacity(architecture="acid", repeat=1, verdict="passed", rates_per_s={"100": 30.0})
    assert Findings(capacities=[slow]).capacity_per_s("acid") == 30.0


def test_closed_loop_of_an_architecture_is_the_median_of_its_direct_runs() -> None:
    """A search begins near the throughput of the closed loop between random wallets."""

    def one(rate: float, route: Route) -> Run:
        run = next(run for run in synthetic_report().runs if run.scenario == "uniform-1k")
        return Run(
            architecture="saga",
            route=route,
            scenario="uniform-1k",
            repeat=1,
            verdict="passed",
            started_at=run.started_at,
            duration_s=1,
            outcomes=run.outcomes,
            acked_per_s=rate,
        )

    runs = [one(100.0, "direct"), one(300.0, "direct"), one(5.0, "gateway")]
    assert Findings(runs=runs).closed_loop_per_s("saga") == 200.0
