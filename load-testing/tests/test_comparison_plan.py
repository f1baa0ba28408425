"""The plan of a comparison, decided before any stack starts."""

from itertools import groupby

import pytest
from lab_support.synthetic import synthetic_report

from wallet_lab.architectures import compared, find
from wallet_lab.comparison.build_report import exit_code, ratios
from wallet_lab.comparison.findings import Findings
from wallet_lab.comparison.plan import FULL, QUICK, WHAT_THEY_ARE, Extent, estimate_s, plan
from wallet_lab.comparison.progress import Clock, in_words
from wallet_lab.workload.scenarios import SCENARIOS


@pytest.mark.parametrize(("extent", "minutes"), [(QUICK, 6), (FULL, 35)])
def test_it_fits_its_time(extent: Extent, minutes: int) -> None:
    """By conservative estimates, --quick takes at most six minutes and the full comparison at most 35."""
    assert estimate_s(plan(extent, compared())) < minutes * 60


def test_architectures_take_turns_and_begin_anew() -> None:
    """Each repeat starts each architecture again, in the order A B A B …, so a slowing machine affects both."""
    assert [(session.architecture, session.repeat) for session in plan(FULL, compared())] == [
        (architecture, repeat) for repeat in (1, 2, 3) for architecture in ("saga", "cqrs", "noop")
    ]


@pytest.mark.parametrize("extent", [QUICK, FULL])
def test_both_get_the_same_loads_in_the_same_order(extent: Extent) -> None:
    """Both architectures get every scenario once per repeat, in the same order; noop gets only three of them."""
    loads = {
        architecture: [
            planned.scenario for session in sessions for planned in session.planned if planned.fault is None
        ]
        for architecture, sessions in groupby(
            plan(extent, compared()), key=lambda session: session.architecture
        )
    }
    assert loads["saga"] == loads["cqrs"]
    named = {scenario.name for scenario in loads["saga"]}
    assert named >= SCENARIOS.keys() - {"smoke"}
    assert named >= WHAT_THEY_ARE.keys()
    assert [scenario.name for scenario in loads["noop"]] == list(find("noop").comparison.scenarios or ())


def test_faults_come_last_and_have_an_end() -> None:
    """Faults come after all loads, because they leave traces, and only in the first `fault_repeats` repeats."""
    for session in plan(FULL, compared()):
        kinds = [planned.fault is not None for planned in session.planned]
        assert kinds == sorted(kinds)
        names = [planned.name for planned in session.planned if planned.fault]
        faults = list(find(session.architecture).comparison.faults)
        assert names == (faults if session.repeat <= FULL.fault_repeats else [])


def test_the_time_left_learns_from_the_time_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the machine is half as fast as estimated, the estimate of the remaining time doubles."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    sessions = plan(QUICK, compared())
    clock = Clock(sessions)
    clock.begin(sessions[0].start_s)
    assert clock.left_s == pytest.approx(estimate_s(sessions))
    now[0] += 2 * sessions[0].start_s
    clock.begin(sessions[0].planned[0].estimate_s)
    assert clock.left_s == pytest.approx(2 * (estimate_s(sessions) - sessions[0].start_s))


def test_times_are_told_in_minutes_until_there_are_few() -> None:
    """Long times are shown in minutes, short ones in seconds."""
    assert [in_words(seconds) for seconds in (1380, 90, 89, 3)] == ["23 min", "2 min", "89 s", "3 s"]


def test_ratios_are_of_transfers_in_closed_loops() -> None:
    """Ratios use only transfers in closed loops, because reads are faster and fixed rates show no limit."""
    runs = [run for run in synthetic_report().runs if (run.architecture, run.scenario) != ("noop", "reads")]
    found = ratios(runs)
    assert found.noop.keys() == found.hot_over_uniform.keys() == {"saga", "cqrs"}
    assert 0.35 < found.noop["saga"] < 0.45
    assert 1.0 < found.hot_over_uniform["cqrs"] < 1.3
    assert ratios([]).noop == {}


def test_the_exit_code_is_the_audits() -> None:
    """The exit code is 1 if an audit failed or if there was no audit."""
    runs = synthetic_report().runs
    passed = [run for run in runs if run.verdict == "passed"]
    assert exit_code(Findings(runs=passed)) == 0
    assert exit_code(Findings(runs=runs)) == 1
    assert exit_code(Findings()) == 1
