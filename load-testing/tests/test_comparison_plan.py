"""The plan of a comparison, decided before any stack starts."""

from collections import Counter
from dataclasses import replace

import pytest

from wallet_lab.architectures import compared, control, find
from wallet_lab.architectures.adapter import Comparison
from wallet_lab.comparison.blocks import Turn, blocks
from wallet_lab.comparison.options import choose, extent
from wallet_lab.comparison.plan import (
    FULL,
    QUICK,
    WHAT_THEY_ARE,
    Choice,
    Contest,
    DelayRun,
    Extent,
    Faults,
    Idle,
    Plan,
    Search,
    SustainedRun,
    plan,
)
from wallet_lab.comparison.progress import Clock, in_words
from wallet_lab.errors import LabError
from wallet_lab.nemesis.faults import possible
from wallet_lab.report.model import HALF_CAPACITY
from wallet_lab.workload.scenarios import SCENARIOS

NAMES = ("saga", "cqrs", "acid")


def planned(extent: Extent, **choice: object) -> Plan:
    """Return the plan of the default architectures."""
    return plan(extent, Choice(compared(), **choice), control())  # type: ignore[arg-type]


@pytest.mark.parametrize(("extent", "minutes"), [(QUICK, 7.5), (FULL, 90)])
def test_comparison_fits_its_time(extent: Extent, minutes: float) -> None:
    """By the estimates, --quick leaves half a minute of its eight for the set-up, and the full one takes 90 minutes."""
    assert planned(extent).estimate_s < minutes * 60


def test_block_has_every_architecture_between_two_controls() -> None:
    """A block runs the control first and last, every architecture once, and one of them again."""
    for block in blocks("uniform-1k", NAMES, "noop", 6):
        first, *inner, last = block.turns
        assert (first, last) == (Turn("noop"), Turn("noop", again=True))
        assert {turn.architecture for turn in inner if not turn.again} == set(NAMES)
        assert sum(turn.again for turn in inner) == 1
        assert inner.index(next(turn for turn in inner if turn.again)) > 0


def test_second_runs_alternate_between_the_architectures() -> None:
    """In six blocks, each of three architectures has a second run twice, always after its first."""
    again: Counter[str] = Counter()
    for block in blocks("uniform-1k", NAMES, "noop", 6):
        names = [turn.architecture for turn in block.turns[1:-1]]
        (twice,) = (name for name, times in Counter(names).items() if times == 2)
        second = next(place for place, turn in enumerate(block.turns[1:-1]) if turn.again)
        assert names.index(twice) < second
        again[twice] += 1
    assert again == {"saga": 2, "cqrs": 2, "acid": 2}


def test_order_of_blocks_is_random_and_reproducible() -> None:
    """The order differs between blocks and scenarios, and is the same in every comparison."""
    found = blocks("uniform-1k", NAMES, "noop", 10)
    assert found == blocks("uniform-1k", NAMES, "noop", 10)
    assert len({block.turns for block in found}) > 5
    assert [block.turns for block in found] != [block.turns for block in blocks("reads", NAMES, "noop", 10)]


def test_first_blocks_also_run_through_the_gateway() -> None:
    """In the first blocks, the architectures and the control run through the gateway too, once each."""
    first, second, third = blocks("reads", NAMES, "noop", 3, through=[(*NAMES, "noop")] * 2)
    for block in (first, second):
        through = [turn.architecture for turn in block.turns if turn.route == "gateway"]
        assert sorted(through) == sorted([*NAMES, "noop"])
    assert all(turn.route == "direct" for turn in third.turns)


def test_own_stack_of_a_user_takes_part_in_its_scenarios_without_the_gateway() -> None:
    """A stack of the user runs the scenarios that its adapter names, and never through a gateway of the lab."""
    usual = Comparison(start_s=1.0, scenarios=("uniform-1k",))
    mine = replace(find("acid"), name="mine", source="/mine", comparison=usual)
    choice = Choice((find("saga"), mine), ("uniform-1k", "reads", HALF_CAPACITY))
    contests = {step.name: step for step in plan(FULL, choice, control()).steps if isinstance(step, Contest)}
    assert {name: "mine" in each.architectures for name, each in contests.items()} == {
        "uniform-1k": True,
        "reads": False,
        HALF_CAPACITY: True,
    }
    turns = [turn for block in contests["uniform-1k"].blocks for turn in block.turns]
    assert {turn.architecture for turn in turns if turn.route == "gateway"} == {"saga", "noop"}


@pytest.mark.parametrize("extent", [QUICK, FULL])
def test_plan_searches_the_capacity_before_the_parts_that_need_it(extent: Extent) -> None:
    """Closed loops come first, then delays and searches, then what depends on the capacity, then the faults."""
    order = {DelayRun: 1, Search: 2, SustainedRun: 4, Faults: 5}
    steps = [
        3 if isinstance(step, Contest) and step.name == HALF_CAPACITY else order.get(type(step), 0)
        for phase in planned(extent).phases
        for step in phase
    ]
    assert steps == sorted(steps)


def test_full_comparison_starts_its_stacks_again_between_groups_of_parts() -> None:
    """Stacks start again before the open loads and before the faults, but not around parts that the user left out."""
    first, second, third = planned(FULL).phases
    assert {type(step) for step in first} == {Idle, Contest}
    assert {type(step) for step in second} == {DelayRun, Search, Contest, SustainedRun}
    assert {type(step) for step in third} == {Faults}
    assert len(planned(FULL, scenarios=("sustained",)).phases) == 1
    assert len(planned(FULL, scenarios=("reads",), faults=("kill-redis",)).phases) == 2
    assert len(planned(QUICK).phases) == 1


def test_searches_of_the_architectures_are_interleaved() -> None:
    """The architectures alternate, so that a drift of the machine affects the searches of all."""
    found = [(step.repeat, step.architecture) for step in planned(FULL).steps if isinstance(step, Search)]
    assert found == [(repeat, name) for repeat in range(1, 7) for name in NAMES]


def test_clients_that_pause_are_no_part_of_a_comparison_unless_named() -> None:
    """The throughput of clients that pause says nothing about an architecture."""
    for chosen in (QUICK, FULL):
        assert not any(name in SCENARIOS and SCENARIOS[name].paced for name in chosen.scenarios)
    named = planned(QUICK, scenarios=("normal",))
    assert [step.scenario.paced for step in named.steps if isinstance(step, Contest)] == [True]


def test_full_comparison_breaks_every_target() -> None:
    """The full comparison injects every fault, but networks are cut only on Docker, and baselines are only killed."""
    for can_cut in (False, True):
        found = [
            (step.architecture, step.fault.name)
            for step in planned(FULL, can_cut=can_cut).steps
            if isinstance(step, Faults)
        ]
        assert sorted(found) == sorted(
            (one.name, fault.name)
            for one in compared()
            for fault in possible(one, on_containers=can_cut)
            if fault.action == "kill" or not one.is_baseline
        )


def test_quick_comparison_kills_what_takes_writes_and_reads() -> None:
    """The quick comparison has only the kills that each adapter names."""
    found = [
        (step.architecture, step.fault.name) for step in planned(QUICK).steps if isinstance(step, Faults)
    ]
    assert found == [(one.name, fault) for one in compared() for fault in one.comparison.faults]


def test_named_parts_replace_the_usual_ones() -> None:
    """If scenarios are named, only they run, without faults; if faults are named, only they run."""
    only = planned(QUICK, scenarios=("hot-pair", "zipf"))
    assert [step.name for step in only.steps] == ["idle", "hot-pair", "zipf"]
    broken = planned(QUICK, faults=("kill-postgres",))
    assert [(step.name, getattr(step, "architecture", "")) for step in broken.steps] == [
        ("idle", ""),
        ("kill-postgres", "saga"),
        ("kill-postgres", "acid"),
    ]


def test_half_capacity_and_sustained_runs_bring_their_search() -> None:
    """A part that needs the capacity plans one search per architecture."""
    for name in (HALF_CAPACITY, "sustained"):
        steps = planned(FULL, scenarios=(name,)).steps
        assert [step.architecture for step in steps if isinstance(step, Search)] == list(NAMES)


def test_options_are_lists_with_commas_or_repeated() -> None:
    """Names are separated by commas or given repeatedly, each counts once."""
    chosen = choose("acid,saga", ["reads,zipf", "reads"], ["kill-worker"], can_cut=False)
    assert [one.name for one in chosen.architectures] == ["acid", "saga"]
    assert (chosen.scenarios, chosen.faults) == (("reads", "zipf"), ("kill-worker",))
    assert choose(None, None, None, can_cut=False) == Choice(compared())


@pytest.mark.parametrize(
    ("arch", "scenarios", "faults", "said"),
    [
        ("soap", None, None, "there is no architecture 'soap'; there are: saga"),
        ("noop", None, None, "noop is the control of every comparison"),
        (",", None, None, "--arch names no architecture"),
        (None, ["fast"], None, "there is no scenario 'fast' to compare; there are: uniform-1k"),
        ("acid", None, ["kill-worker"], "none of the compared architectures has the fault 'kill-worker'"),
        (None, None, ["cut-redis"], "Add --on docker"),
    ],
)
def test_wrong_option_is_explained_before_anything_starts(
    arch: str | None, scenarios: list[str] | None, faults: list[str] | None, said: str
) -> None:
    """A wrong name ends the command with the valid names."""
    with pytest.raises(LabError) as error:
        choose(arch, scenarios, faults, can_cut=False)
    assert said in str(error.value)


def test_options_change_the_extent() -> None:
    """Blocks and durations can be chosen; a quick comparison has a sustained run only if it is named."""
    usual = {"quick": True, "blocks": None, "duration": None, "sustained": None, "named": False}
    assert extent(**usual) == QUICK  # type: ignore[arg-type]
    assert extent(**{**usual, "named": True}).sustained_s == FULL.sustained_s  # type: ignore[arg-type]
    changed = extent(**{**usual, "blocks": 3, "duration": 1.5, "sustained": 30.0})  # type: ignore[arg-type]
    assert (changed.blocks, changed.load_s, changed.sustained_s) == (3, 1.5, 30.0)


def test_every_scenario_can_be_compared() -> None:
    """Every scenario of the bench is described for the comparison; only the sweep is not, which the search replaces."""
    assert SCENARIOS.keys() - {"sweep"} <= WHAT_THEY_ARE.keys()


def test_control_runs_what_it_knows() -> None:
    """The control gets the scenario itself, or, if it lacks the calls, another one under the scenario's name."""
    for step in planned(QUICK, scenarios=("refusals", "hot-pair", "bank")).steps:
        if isinstance(step, Contest):
            expected = "hot-pair" if step.name == "hot-pair" else "uniform"
            assert (step.control.name, step.control.script) == (step.name, expected)
    assert find("noop").comparison.scenarios


def test_time_left_follows_the_time_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the machine is half as fast as estimated, the estimate of the remaining time doubles."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = Clock(100.0)
    clock.begin(10.0)
    assert clock.left_s == pytest.approx(100.0)
    now[0] += 20.0
    clock.begin(5.0)
    assert clock.left_s == pytest.approx(180.0)


def test_times_are_in_minutes_unless_they_are_short() -> None:
    """Long times are shown in minutes, short ones in seconds."""
    assert [in_words(seconds) for seconds in (1380, 90, 89, 3)] == ["23 min", "2 min", "89 s", "3 s"]
