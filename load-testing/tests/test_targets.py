"""The target table: its rows, its plan, its figures, its verdicts, and a small run on real stacks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from wallet_lab.architectures import baseline, control, every, find
from wallet_lab.architectures.adapter import CACHE, Architecture
from wallet_lab.comparison import contest as contest_module
from wallet_lab.comparison.contest import run_contest
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import Contest, DelayRun
from wallet_lab.comparison.targets.against import judged
from wallet_lab.comparison.targets.command import choose
from wallet_lab.comparison.targets.figures import Figure, Source
from wallet_lab.comparison.targets.other_checkout import home_of, running_other
from wallet_lab.comparison.targets.parts import DELAYS, FULL, SHARDED, USUAL, contest
from wallet_lab.comparison.targets.plan import Chosen, Extent, Session, sessions
from wallet_lab.comparison.targets.results import Result, TargetReport, exit_code, results
from wallet_lab.comparison.targets.rows import AGAINST, EARLIER, GROWTH, LONE, Row, rows
from wallet_lab.comparison.targets.terminal import print_results
from wallet_lab.errors import LabError
from wallet_lab.report.model import Audit, Capacity, Check, Costs, Delay, Latency, Outcomes, Run
from wallet_lab.stack.files.home import StackHome, checkout, supervisor_pid
from wallet_lab.workload.measurement import Measurement
from wallet_lab.workload.scenarios import Scenario

AT = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = rows("noop", "acid")
PARTS = {part.name: part for part in (*USUAL, *SHARDED, *FULL)}
PATTERNS = tuple(one for one in every() if one.performance_targets)
FAILED = Audit(passed=False, checks=[Check(name="money", passed=False, found=1, violations=["gone"])])
PASSED = Audit(passed=True, checks=[Check(name="money", passed=True)])


def chosen(*keys: str, options: frozenset[str] = frozenset()) -> Chosen:
    """These rows, or all that the options ask for, of all architectures with targets."""
    asked = tuple(
        row for row in ROWS if row.key in keys or (not keys and (not row.needs or row.needs in options))
    )
    return Chosen(asked, PATTERNS, control(), baseline())


def row(key: str) -> Row:
    """The row with this key."""
    return next(each for each in ROWS if each.key == key)


def source(key: str) -> Source:
    """The source of a row that can be measured."""
    found = row(key).source
    assert found is not None
    return found


def run(architecture: str, scenario: str, block: int, **members: object) -> Run:
    """A run that passed, with only the given figures."""
    usual: dict[str, object] = {"repeat": block, "verdict": "passed", "started_at": AT, "duration_s": 1.5}
    every_member = {**usual, "outcomes": Outcomes(success=9), "audit": PASSED, **members}
    return Run(architecture=architecture, scenario=scenario, block=block, **every_member)  # type: ignore[arg-type]


def cpu(ms: float) -> Costs:
    """The costs of one component."""
    return Costs(total=ms, by_component={"part": ms})


def judge(key: str, findings: Findings, *options: str) -> dict[str, Result]:
    """The results of one row, by architecture."""
    found = results((row(key),), PATTERNS, findings, frozenset(options))
    return {each.architecture: each for each in found}


def test_every_target_belongs_to_a_row() -> None:
    """An adapter names only rows of the table, and every row has a target."""
    keys = [each.key for each in ROWS]
    assert len(keys) == len(set(keys))
    assert {key for one in every() for key in one.performance_targets} == set(keys)
    assert [one.name for one in PATTERNS] == ["saga", "cqrs"]


@pytest.mark.parametrize("each", [each for each in ROWS if each.part in PARTS], ids=lambda each: each.key)
def test_part_of_a_row_runs_its_scenarios(each: Row) -> None:
    """The scenarios that a row divides by each other are loads of its part."""
    part = PARTS[each.part]
    loads = {load.scenario.name for load in part.loads} if part.loads else {"consistency", "consistency-300"}
    assert each.source is not None
    assert set(each.source.scenarios) <= loads


def test_usual_run_takes_less_than_twelve_minutes() -> None:
    """By the estimates, the rows that need no option are measured within twelve minutes."""
    planned = sessions(chosen(), Extent())
    assert len(planned) == 1
    assert sum(each.plan.estimate_s for each in planned) < 12 * 60


def usual_contests() -> dict[str, Contest]:
    """The blocks of the usual parts, by name."""
    (session,) = sessions(chosen(), Extent())
    return {step.name: step for step in session.plan.steps if isinstance(step, Contest)}


def test_block_has_every_load_of_every_stack_between_two_controls() -> None:
    """All stacks of a part run all its loads in each block, in random order, and the control begins and ends it."""
    found = usual_contests()["clients-200"]
    for block in found.blocks:
        first, *inner, last = block.turns
        assert (first.architecture, last) == ("noop", replace(first, again=True))
        loads = [(turn.architecture, turn.load.name) for turn in inner if turn.load]
        both = ("uniform-1k-200", "hot-pair-200")
        usual = [(name, load) for name in ("saga", "cqrs", "acid") for load in both]
        assert sorted(loads) == sorted([*usual, ("noop", "hot-pair-200")])
    assert len({block.turns for block in found.blocks}) > 1
    assert usual_contests()["clients-200"] == found


def test_load_has_its_clients_and_the_series_all_wallets() -> None:
    """Each load has its number of clients and its duration; the stacks open the wallets of the largest load."""
    found = usual_contests()
    assert {load.clients for load in found["clients-200"].loads} == {200}
    assert {load.duration_s for load in found["reads"].loads} == {Extent().load_s}
    assert found["wallets"].scenario.wallets == 100_000
    assert {turn.architecture for turn in found["reads"].blocks[0].turns} == {"noop", "saga", "cqrs"}


def test_cache_is_down_only_in_its_part() -> None:
    """One part runs without the cache, and each architecture with a target in it has a component of this role."""
    assert [name for name, each in usual_contests().items() if each.without == CACHE] == [
        "reads-without-cache"
    ]
    for one in PATTERNS:
        assert [target.component for target in one.targets if target.hits == CACHE] == ["redis"]


def test_delay_is_measured_only_where_it_has_a_target() -> None:
    """The consistency delay of an architecture with fresh reads has no target. It is measured before the outage."""
    (session,) = sessions(chosen(), Extent())
    assert {step.architecture for step in session.plan.steps if isinstance(step, DelayRun)} == {"cqrs"}
    names = [part.name for part in USUAL]
    assert names.index(DELAYS.name) < names.index("reads-without-cache") < names.index("wallets")


def test_growth_has_sessions_of_its_own() -> None:
    """With --growth, stacks of 1 and 8 shards and stacks of a million wallets run after the usual ones."""
    usual, shards, million = sessions(chosen(options=frozenset([GROWTH])), Extent())
    assert set(usual.stacks) == {"noop", "acid", "saga", "cqrs"}
    assert shards.stacks == {
        "noop": ("noop", None),
        "saga-1-shards": ("saga", 1),
        "saga-8-shards": ("saga", 8),
    }
    assert set(million.stacks) == {"noop", "saga", "cqrs"}
    (step,) = (step for step in million.plan.steps if isinstance(step, Contest))
    assert step.scenario.wallets == 1_000_000


def turns_of(session: Session) -> set[tuple[str, str, int]]:
    """Stack, load and clients of the turns of a session, without the control."""
    turns = [
        turn
        for step in session.plan.steps
        if isinstance(step, Contest)
        for block in step.blocks
        for turn in block.turns
        if turn.architecture != "noop"
    ]
    return {(turn.architecture, turn.load.name, turn.load.clients) for turn in turns if turn.load}


def test_shards_get_equal_load_each_and_in_all() -> None:
    """The large stack runs 200 clients, the small one 200 and an eighth of them."""
    (session,) = sessions(chosen("cpu-shards-equal-each"), Extent())
    assert turns_of(session) == {
        ("saga-8-shards", "many-shards", 200),
        ("saga-1-shards", "few-shards", 200),
        ("saga-1-shards", "few-shards-equal-each", 25),
    }


def test_only_the_parts_of_the_chosen_rows_run() -> None:
    """A single row starts only the stacks that it needs."""
    (session,) = sessions(chosen("cpu-reads"), Extent())
    assert set(session.stacks) == {"noop", "saga", "cqrs"}
    assert [step.name for step in session.plan.steps] == ["idle", "reads"]
    assert sessions(chosen("lone-p50", "cpu-rows"), Extent()) == []


def test_ratio_is_taken_block_by_block() -> None:
    """Each block is divided by the mean of its two controls, so a machine that becomes slower changes no ratio."""
    name = "hot-pair-200"
    findings = Findings(
        runs=[
            *(run("noop", name, 1, server_cpu_ms_per_transfer=cpu(each)) for each in (0.08, 0.125)),
            run("saga", name, 1, server_cpu_ms_per_transfer=cpu(0.2)),
            run("noop", name, 2, server_cpu_ms_per_transfer=cpu(1.0)),
            run("saga", name, 2, server_cpu_ms_per_transfer=cpu(2.0)),
        ]
    )
    found = source("cpu-hot-pair-200").figure(findings, "saga")
    assert found is not None
    assert found.value == pytest.approx(2.0)
    assert found.count == 2
    assert judge("cpu-hot-pair-200", findings)["saga"].verdict == "pass"
    assert judge("cpu-hot-pair-200", findings)["cqrs"].verdict == "not measured"


@pytest.mark.parametrize(
    ("key", "saga", "acid", "verdict"),
    [
        ("throughput-hot-pair-50", 3001.0, 1000.0, "pass"),
        ("throughput-hot-pair-50", 2999.0, 1000.0, "short"),
        ("throughput-uniform-1k-50", 1999.0, 1000.0, "short"),
    ],
)
def test_figure_on_the_right_side_of_its_target_passes(
    key: str, saga: float, acid: float, verdict: str
) -> None:
    """The target is the smallest ratio that passes. A single block has no interval."""
    scenario = key.removeprefix("throughput-")
    findings = Findings(
        runs=[run("saga", scenario, 1, acked_per_s=saga), run("acid", scenario, 1, acked_per_s=acid)]
    )
    found = judge(key, findings)["saga"]
    assert (found.verdict, found.interval, found.is_within_chance) == (verdict, None, False)


def test_verdict_within_chance_is_marked() -> None:
    """If the interval contains the target, the table says that chance can change the verdict."""
    rates = {1: (900.0, 1000.0), 2: (1100.0, 1000.0)}
    findings = Findings(
        runs=[
            each
            for block, (hot, uniform) in rates.items()
            for each in (
                run("saga", "hot-pair-50", block, acked_per_s=hot),
                run("saga", "uniform-1k-50", block, acked_per_s=uniform),
            )
        ]
    )
    found = judge("hot-over-uniform-50", findings)["saga"]
    assert (found.verdict, found.is_within_chance) == ("pass", True)
    console = Console(width=120, file=StringIO(), record=True)
    print_results([found], findings, console)
    assert "pass, within chance" in console.export_text()


def test_failed_audit_is_never_a_pass() -> None:
    """A failed audit leaves no figure, gives the reason, and makes the exit code 1."""
    withheld = run("saga", "uniform-1k-200", 1, verdict="failed", why="money: gone", audit=FAILED)
    found = judge("cpu-uniform-1k-200", Findings(runs=[withheld]))
    assert (found["saga"].verdict, found["saga"].why) == ("not measured", "money: gone")
    assert found["cqrs"].why == "saga: money: gone"
    assert exit_code(list(found.values()), Findings(runs=[withheld])) == 1


def test_row_without_its_option_is_not_measured() -> None:
    """A row that needs an option says which one; a row that nothing can measure says so."""
    assert {each.why for each in judge("lone-p50", Findings()).values()} == {"needs --against"}
    assert {each.why for each in judge("cpu-shards-equal-each", Findings()).values()} == {"needs --growth"}
    assert "so many rows" in judge("cpu-rows", Findings(), GROWTH)["saga"].why
    assert judge("lone-p50", Findings(), AGAINST)["saga"].why == "its part did not run"


def one(verdict: str, *, is_asked: bool = True) -> Result:
    """A result with this verdict."""
    return Result(
        key="cpu-reads",
        measure="",
        architecture="saga",
        bound="≤",
        target=2.0,
        verdict=verdict,  # type: ignore[arg-type]
        is_asked=is_asked,
    )


def test_exit_code_needs_figures_and_audits_but_no_pass() -> None:
    """The exit code is 0 if everything that was asked for was measured, whatever the verdicts are."""
    assert exit_code([one("short"), one("pass"), one("not measured", is_asked=False)], Findings()) == 0
    assert exit_code([one("pass"), one("not measured")], Findings()) == 1
    assert exit_code([one("not measured", is_asked=False)], Findings()) == 1
    assert exit_code([one("pass")], Findings(runs=[run("saga", "reads", 1, verdict="failed")])) == 1
    assert exit_code([one("pass")], Findings(not_run=["A stack did not stop"])) == 1


def test_memory_is_that_of_the_largest_process() -> None:
    """The memory of a kind is divided by its number of processes. Only the kinds of the row count."""
    memory = {"worker": 100.0, "orchestrator": 60.0, "postgres": 500.0, "redis": 900.0}
    findings = Findings(
        runs=[run("saga", "uniform-100k", 1, memory_mib_max=memory)],
        processes={"saga": {"worker": 2, "orchestrator": 1, "postgres": 2, "redis": 1}},
    )
    assert source("memory-service").figure(findings, "saga") == Figure(60.0, None, 1)
    assert source("memory-database").figure(findings, "saga") == Figure(250.0, None, 1)


def test_delay_is_the_mean_of_its_repeats() -> None:
    """The consistency delay is the geometric mean of the repeats with the same background load."""
    loaded = "with 300 transfers/s"
    delays = [
        Delay(architecture="cqrs", load=load, samples=9, p50=p50, p95=9.0, p99=4 * p50, max=99.0)
        for load, p50 in (("idle", 2.0), ("idle", 8.0), (loaded, 5.0))
    ]
    idle = source("delay-idle-p50").figure(Findings(delays=delays), "cqrs")
    slowest = source("delay-loaded-p99").figure(Findings(delays=delays), "cqrs")
    assert idle is not None
    assert idle.value == pytest.approx(4.0)
    assert slowest == Figure(20.0, None, 1)


def test_other_checkout_is_the_divisor() -> None:
    """Single transfers are compared block by block, the capacity by the rate within 50 ms."""
    times = {"saga": 2.0, f"saga, {EARLIER}": 8.0}
    runs = [
        run(name, LONE, 1, latency_ms=Latency(p50=p50, p95=p50, p99=p50, max=p50))
        for name, p50 in times.items()
    ]
    capacities = [
        Capacity(architecture=name, repeat=1, verdict="passed", rates_per_s={"50": 4000.0 / p50})
        for name, p50 in times.items()
    ]
    found = Findings(runs=runs, capacities=capacities)
    assert judge("lone-p50", found, AGAINST)["saga"].measured == pytest.approx(0.25)
    assert judge("capacity", found, AGAINST)["saga"].measured == pytest.approx(4.0)


def test_failed_audit_of_the_other_checkout_withholds_its_figures() -> None:
    """A run of the other checkout loses its figures if its own audit fails."""
    measured = run("saga, earlier", LONE, 1, latency_ms=Latency(p50=1, p95=1, p99=1, max=1))
    assert judged(measured, PASSED).latency_ms == measured.latency_ms
    withheld = judged(measured, FAILED)
    assert (withheld.verdict, withheld.latency_ms, withheld.why) == ("failed", None, "money: gone")


def test_other_checkout_that_does_not_start_gives_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the lab of the other checkout cannot start a stack, the error has its last line, and `down` is called."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(tmp_path / "home"))
    script = tmp_path / "lab"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/called\necho first >&2; echo no port is free >&2; exit 1\n'
    )
    script.chmod(0o755)
    with (
        pytest.raises(LabError, match="up saga --fresh failed: no port is free"),
        running_other(tmp_path, "saga"),
    ):
        pass
    assert (tmp_path / "called").read_text() == "up saga --fresh\ndown saga\n"


@pytest.mark.parametrize(
    ("only", "arch", "said"),
    [
        (["cpu-reads,fast"], None, "there is no row 'fast'; there are: cpu-hot-pair-200"),
        (None, "acid", "'acid' has no performance targets; these have: saga, cqrs"),
    ],
)
def test_wrong_name_is_explained_before_anything_starts(
    only: list[str] | None, arch: str | None, said: str
) -> None:
    """A wrong row or architecture ends the command with the valid names."""
    with pytest.raises(LabError) as error:
        choose(only, arch)
    assert said in str(error.value)


def test_rows_and_architectures_can_be_chosen() -> None:
    """Names are separated by commas; the table keeps its order."""
    found = choose(["cpu-reads,cpu-hot-pair-50"], "cqrs")
    assert [each.key for each in found.rows] == ["cpu-hot-pair-50", "cpu-reads"]
    assert found.architectures == (find("cqrs"),)


def test_capacity_model_follows_the_table_with_its_check() -> None:
    """The command prints the needs for larger rates, and the measured cost of more shards, which the model assumes."""
    shards = msgspec.structs.replace(one("short"), key="cpu-shards-equal-each", measured=1.25)
    costs = Costs(total=0.3, by_component={"worker": 0.2, "orchestrator": 0.1})
    findings = Findings(runs=[run("saga", "uniform-1k-200", 1, server_cpu_ms_per_transfer=costs)])
    console = Console(width=160, file=StringIO(), record=True)
    print_results([shards], findings, console)
    said = console.export_text()
    assert "orchestrator × 15, shard × 29" in said
    assert "saga: with one process of each component, worker saturates first" in said
    assert "Measured with 8 shards: 1.25 times that of one." in said


@dataclass
class Stack:
    """A stack that notes when its component is down."""

    events: list[str]
    adapter: Architecture

    @contextmanager
    def outage(self, name: str) -> Iterator[None]:
        """Note begin and end."""
        self.events.append(f"{name} down")
        yield
        self.events.append(f"{name} up")


def test_cache_is_down_during_all_loads_and_up_for_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is down from the warm-up to the last block. The audit begins when it is up again."""
    events: list[str] = []

    class Noted:
        """Replaces the loads of one stack."""

        def __init__(self, _stack: Stack, _scenario: Scenario, _folder: Path) -> None:
            """Take nothing."""

        def warm_up(self, _scenario: Scenario, _seconds: float) -> None:
            """Note the warm-up."""
            events.append("warm-up")

        def measure(self, _scenario: Scenario, _route: str) -> Measurement:
            """Note the load; it has no result."""
            events.append("load")
            raise LabError("no result")

        def audit(self, _keep: Path | None = None) -> Audit | None:
            """Note the audit."""
            events.append("audit")
            return None

    monkeypatch.setattr(contest_module, "Series", Noted)
    stacks = {name: Stack(events, find(name)) for name in ("noop", "saga")}
    planned = contest(PARTS["reads-without-cache"], ("saga",), ("noop", "acid"), 1, 1.0)
    assert [turn.architecture for turn in planned.blocks[0].turns] == ["noop", "saga", "noop"]
    run_contest(replace(planned, again_max=0), "noop", stacks, {}, Findings(), lambda _what, _s: None)  # type: ignore[arg-type]
    assert events == ["redis down", *["warm-up"] * 2, *["load"] * 3, "redis up", *["audit"] * 2]


def test_turn_with_a_load_of_its_own_is_reported_under_its_name() -> None:
    """If a stack did not start, each of its loads has a run with the reason."""
    planned = contest(PARTS["wallets"], ("saga",), ("noop", "acid"), 1, 1.0)
    findings, missing = Findings(), {"saga": "no port", "noop": "none"}
    run_contest(replace(planned, again_max=0), "noop", {}, missing, findings, lambda _what, _s: None)
    assert {(each.architecture, each.scenario, each.why) for each in findings.runs} == {
        ("noop", "uniform-1k", "none"),
        ("saga", "uniform-1k", "no port"),
        ("saga", "uniform-100k", "no port"),
    }


def bench_targets(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the command, with a home of its own in the folder."""
    return subprocess.run(
        [sys.executable, "-m", "wallet_lab", "bench", "--targets", *options],
        env={**os.environ, "WALLET_LAB_HOME": str(folder / "home"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.slow
def test_targets_are_measured_on_real_stacks(tmp_path: Path) -> None:
    """A tiny run measures and audits its rows, records control and steal, and exits with 0 for any verdict."""
    out = tmp_path / "targets.json"
    options = ("--arch", "saga", "--blocks", "1", "--duration", "1", "--out", str(out))
    keys = "throughput-hot-pair-50,hot-over-uniform-50,cpu-reads-without-cache,lone-p50"
    finished = bench_targets(tmp_path, "--rows", keys, *options)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    report = msgspec.json.decode(out.read_bytes(), type=TargetReport)
    verdicts = {each.key: each.verdict for each in report.results}
    assert verdicts.pop("lone-p50") == "not measured"
    assert set(verdicts.values()) <= {"pass", "short"}
    assert len(verdicts) == 3
    assert {each.architecture for each in report.runs} == {"noop", "acid", "saga"}
    assert all(each.verdict == "passed" and each.steal_percent is not None for each in report.runs)
    assert {place.name for place in (tmp_path / "targets-evidence").iterdir()} == {
        *("saga-clients-50", "acid-clients-50", "saga-reads-without-cache"),
    }
    assert "3 of 3 audits passed" in finished.stdout
    assert "needs --against" in finished.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of the commands of a test. The stack of the other checkout is wiped at the end."""
    monkeypatch.setenv("WALLET_LAB_HOME", str(tmp_path / "home"))
    yield tmp_path
    StackHome(home_of(checkout()), "saga").wipe()


@pytest.mark.slow
def test_other_checkout_is_started_measured_and_audited_by_its_own_lab(home: Path) -> None:
    """This checkout compared with itself: both stacks are measured in turn, audited and stopped."""
    out = home / "targets.json"
    options = ("--arch", "saga", "--rows", "lone-p50", "--blocks", "2", "--out", str(out))
    finished = bench_targets(home, "--against", str(checkout()), *options)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    report = msgspec.json.decode(out.read_bytes(), type=TargetReport)
    (result,) = report.results
    assert result.count == 2
    assert result.measured is not None
    names = sorted(each.architecture for each in report.runs)
    assert names == ["saga", "saga", f"saga, {EARLIER}", f"saga, {EARLIER}"]
    assert all(each.audit and each.audit.passed and each.outcomes.success for each in report.runs)
    assert supervisor_pid(StackHome(home_of(checkout()), "saga")) is None
