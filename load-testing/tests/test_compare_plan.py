"""What a comparison does, decided before anything is started."""

from itertools import groupby

import pytest
from lab_support.synthetic import synthetic_report

from wallet_lab.bench.scenarios import SCENARIOS
from wallet_lab.compare.assembling import exit_code, ratios
from wallet_lab.compare.findings import Findings
from wallet_lab.compare.plan import CEILING, FAULTS, FULL, QUICK, WHAT_THEY_ARE, Extent, estimate_s, plan
from wallet_lab.compare.progress import Clock, in_words


@pytest.mark.parametrize(("extent", "minutes"), [(QUICK, 6), (FULL, 35)])
def test_it_fits_its_time(extent: Extent, minutes: int) -> None:
    """By estimates that leave room: --quick is promised in six minutes, the full one in 35."""
    assert estimate_s(plan(extent)) < minutes * 60


def test_architectures_take_turns_and_begin_anew() -> None:
    """A B A B …: every repeat is a fresh start of each, so that a machine that slows down slows both."""
    assert [(session.architecture, session.repeat) for session in plan(FULL)] == [
        (architecture, repeat) for repeat in (1, 2, 3) for architecture in ("saga", "cqrs", "noop")
    ]


@pytest.mark.parametrize("extent", [QUICK, FULL])
def test_both_get_the_same_loads_in_the_same_order(extent: Extent) -> None:
    """Every scenario there is, once a repeat; noop only those that mean something without work."""
    loads = {
        architecture: [step.scenario for session in sessions for step in session.steps if step.fault is None]
        for architecture, sessions in groupby(plan(extent), key=lambda session: session.architecture)
    }
    assert loads["saga"] == loads["cqrs"]
    named = {scenario.name for scenario in loads["saga"]}
    assert named >= SCENARIOS.keys() - {"smoke"}
    assert named >= WHAT_THEY_ARE.keys()
    assert [scenario.name for scenario in loads["noop"]] == list(CEILING)


def test_faults_come_last_and_have_an_end() -> None:
    """A fault leaves its traces: nothing is measured on a stack after it. What `fault_repeats` says is kept."""
    for session in plan(FULL):
        kinds = [step.fault is not None for step in session.steps]
        assert kinds == sorted(kinds)
        names = [step.name for step in session.steps if step.fault]
        assert names == (
            list(FAULTS.get(session.architecture, ())) if session.repeat <= FULL.fault_repeats else []
        )


def test_the_time_left_learns_from_the_time_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine half as fast as expected, twice as much is left as was planned."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    sessions = plan(QUICK)
    clock = Clock(sessions)
    clock.begin(sessions[0].start_s)
    assert clock.left_s == pytest.approx(estimate_s(sessions))
    now[0] += 2 * sessions[0].start_s
    clock.begin(sessions[0].steps[0].estimate_s)
    assert clock.left_s == pytest.approx(2 * (estimate_s(sessions) - sessions[0].start_s))


def test_times_are_told_in_minutes_until_there_are_few() -> None:
    """Nobody wants to read 1380 s."""
    assert [in_words(seconds) for seconds in (1380, 90, 89, 3)] == ["23 min", "2 min", "89 s", "3 s"]


def test_ratios_are_of_transfers_in_closed_loops() -> None:
    """Reads are faster than any transfer and given rates are no limit: neither says how near the ceiling is."""
    runs = [run for run in synthetic_report().runs if (run.architecture, run.scenario) != ("noop", "reads")]
    found = ratios(runs)
    assert found.noop.keys() == found.hot_over_uniform.keys() == {"saga", "cqrs"}
    assert 0.35 < found.noop["saga"] < 0.45
    assert 1.0 < found.hot_over_uniform["cqrs"] < 1.3
    assert ratios([]).noop == {}


def test_the_exit_code_is_the_audits() -> None:
    """1 as soon as one found something, and also when there was none: nothing is proved then."""
    runs = synthetic_report().runs
    passed = [run for run in runs if run.verdict == "passed"]
    assert exit_code(Findings(runs=passed)) == 0
    assert exit_code(Findings(runs=runs)) == 1
    assert exit_code(Findings()) == 1
