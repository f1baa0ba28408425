"""The decision table: which architecture for which need, by how much, and how sure."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from lab_support.synthetic import BEGAN, LOST, synthetic_report
from rich.console import Console

from wallet_lab.errors import LabError
from wallet_lab.report.choose import BEGIN, END, with_decisions
from wallet_lab.report.decisions import Decision, decisions
from wallet_lab.report.model import Machine, Outcomes, Ratios, Report, Run, Size, Verdict
from wallet_lab.report.page import read_report
from wallet_lab.report.quantities import THROUGHPUT, of_capacities, of_everything, of_loads
from wallet_lab.report.sections import sections
from wallet_lab.report.terminal import print_decisions
from wallet_lab.report.verdicts import contests, ranking, summary
from wallet_lab.report.wording import number

HOT = "one hot wallet takes part in most transfers"
DOCS = Path(__file__).parents[2] / "docs"
NOISE = (0.99, 1.01, 0.985, 1.015, 1.0, 0.995, 1.005, 0.99, 1.01, 1.0)


def run(name: str, block: int, rate: float, verdict: Verdict = "passed") -> Run:
    """A run of the hot pair."""
    return Run(
        architecture=name,
        scenario="hot-pair",
        block=block,
        repeat=1,
        verdict=verdict,
        why=LOST if verdict == "failed" else "",
        started_at=datetime(2000, 1, 1, tzinfo=UTC),
        duration_s=10,
        acked_per_s=rate if verdict == "passed" else None,
        outcomes=Outcomes(),
    )


def report_of(runs: list[Run], sizes: list[Size] | None = None) -> Report:
    """A report of these runs only."""
    return Report(
        title="Made up",
        started_at=BEGAN,
        finished_at=BEGAN,
        complete=True,
        command="./lab compare",
        machine=Machine(cpu="none", cores=2, memory_mib=1, system="", kernel=""),
        versions={},
        runs=runs,
        consistency_delay_ms=[],
        recovery=[],
        sizes=sizes or [],
        ratios=Ratios(noop={}, hot_over_uniform={}),
        not_measured=[],
    )


def hot(**rates: float) -> list[Run]:
    """Ten blocks of the hot pair. Each architecture has its own noise around its rate."""
    return [
        run(name, block, rate * NOISE[(block + 3 * place) % 10])
        for place, (name, rate) in enumerate(rates.items())
        for block in range(10)
    ]


def line(report: Report, need: str) -> Decision:
    """The line of a need."""
    return next(each for each in decisions(report) if each.need == need)


def test_architecture_is_chosen_if_it_is_ahead_of_every_other() -> None:
    """Of three architectures, the best is chosen, with its ratio to the second best and the interval."""
    found = line(report_of(hot(slow=500, fast=2000, middle=1000)), HOT)
    assert (found.choose, found.is_decided) == (("fast",), True)
    assert found.by.startswith("better than middle by 2.00× (1.9")
    assert found.sure == "shown: ahead of every other one"
    assert found.in_words.startswith(f"If {HOT}, choose fast. Reason: better than middle by")
    assert found.anchor == "throughput"


def test_equal_architectures_are_both_chosen() -> None:
    """Architectures that are shown to be equal are chosen together, and the slower third is not."""
    found = line(report_of(hot(one=1000, other=1001, slow=500)), HOT)
    assert (sorted(found.choose), found.is_decided) == (["one", "other"], True)
    assert found.sure == "shown: equal within 10 %"


def test_undecided_architectures_are_named_without_a_choice() -> None:
    """If the runs show neither a difference nor equality, the line says so and does not choose."""
    noisy = [run("noisy", block, 1000 * (2.5 if block % 2 else 0.5)) for block in range(10)]
    found = line(report_of([*hot(steady=1000), *noisy]), HOT)
    assert not found.is_decided
    assert found.answer.startswith("undecided: ")
    assert f", the choice is {found.answer}. Reason: " in found.in_words


def test_few_blocks_give_no_verdict() -> None:
    """With fewer than six blocks, even a large difference is no verdict."""
    runs = [each for each in hot(slow=500, fast=2000) if each.block < 5]
    found = line(report_of(runs), HOT)
    assert not found.is_decided
    assert found.sure == "no verdict: 5 repeats, 6 are needed"


def test_withheld_architecture_is_never_chosen() -> None:
    """If one run failed its audit, its architecture has no figures; the others are still compared."""
    failed = run("fast", 3, 2000, "failed")
    runs = [
        each
        for each in hot(slow=500, fast=2000, middle=1000)
        if (each.architecture, each.block) != ("fast", 3)
    ]
    found = line(report_of([*runs, failed]), HOT)
    assert found.choose == ("middle",)
    assert f"fast withheld: {LOST}" in found.sure
    assert "2 000" not in found.in_words.replace("\N{THIN SPACE}", " ")


def test_comparison_of_one_architecture_with_a_withheld_one_has_no_answer() -> None:
    """If only one architecture has figures, none is chosen, and the line gives the reason."""
    found = line(report_of([*hot(slow=500), run("fast", 0, 2000, "failed")]), HOT)
    assert found.choose == ()
    assert f"If {HOT}, there is no answer. Reason: " in found.in_words
    assert found.sure == f"no comparison; fast withheld: {LOST}"


def test_control_and_second_runs_are_never_compared() -> None:
    """The control has figures but no contest, and second runs of a block do not count."""
    report = synthetic_report()
    quantity = next(each for each in of_loads(report, THROUGHPUT) if each.scene == "uniform-1k")
    judged = contests(of_everything(report))
    ranked = ranking(quantity, judged)
    assert ranked
    assert summary(quantity, "noop")
    assert {ranked.best, *ranked.others} == {"saga", "cqrs", "acid"}
    assert len(quantity.values["saga"]) == 10


def test_paced_loads_are_no_contest() -> None:
    """A load whose pauses fix the throughput is not compared."""
    report = synthetic_report()
    quantities = of_loads(report, THROUGHPUT)
    assert {each.scene for each in quantities if not each.is_contest} == {"normal"}
    assert not any(key == "throughput/normal" for key, _, _ in contests(quantities))


def test_only_the_searched_limit_of_latency_is_a_contest() -> None:
    """The rates at 20 and 100 ms are marked as lower bounds and get no verdict; the capacity at 50 ms is compared."""
    report = synthetic_report()
    found = {each.scene: each.is_contest for each in of_capacities(report)}
    assert found == {"p99 ≤ 20 ms, at least": False, "p99 ≤ 50 ms": True, "p99 ≤ 100 ms, at least": False}
    judged = {key for key, _, _ in contests(of_everything(report)) if key.startswith("capacity/")}
    assert judged == {"capacity/p99 ≤ 50 ms"}


def test_page_says_with_the_capacities_which_limit_was_searched() -> None:
    """The caption of the capacities says that the other rates are no capacities, and their rows have no verdict."""
    report = synthetic_report()
    exhibit = next(
        exhibit for section in sections(report) for exhibit in section.exhibits if exhibit.name == "capacity"
    )
    assert "A search looks only for the capacity at 50 ms." in exhibit.caption
    verdicts = {row[0]: any("behind" in cell for cell in row) for row in exhibit.table.rows}
    assert verdicts == {"p99 ≤ 20 ms, at least": False, "p99 ≤ 50 ms": True, "p99 ≤ 100 ms, at least": False}


def test_contests_are_the_pairs() -> None:
    """Three architectures have three contests in a quantity, each readable from both sides."""
    report = report_of(hot(slow=500, fast=2000, middle=1000))
    judged = contests(of_everything(report))
    assert len(judged) == 6
    assert judged["throughput/hot-pair", "fast", "slow"].verdict == "ahead"
    assert judged["throughput/hot-pair", "slow", "fast"].verdict == "behind"


def test_fewest_parts_are_counted() -> None:
    """The architecture with the fewest processes is chosen; a count needs no verdict."""
    sizes = [
        Size(
            architecture=name,
            services={"service": count},
            servers={},
            lines=1,
            kernel_lines=1,
            failure_modes=1,
        )
        for name, count in (("big", 5), ("small", 2))
    ]
    found = line(report_of([], sizes), "there must be few parts to operate")
    assert (found.choose, found.sure) == (("small",), "counted")


def test_properties_name_the_designs_that_have_them() -> None:
    """A property that all designs have, or none, is no line."""
    needs = {
        each.need: each.choose
        for each in decisions(synthetic_report())
        if each.sure == "a property of the design"
    }
    assert list(needs.values()) == [("saga", "acid"), ("cqrs",), ("saga",)]


def test_every_line_leads_to_a_figure() -> None:
    """The figure of every line is on the page."""
    report = synthetic_report()
    anchors = {exhibit.name for section in sections(report) for exhibit in section.exhibits}
    assert {each.anchor for each in decisions(report)} <= anchors


@pytest.mark.parametrize("width", [80, 160])
def test_terminal_shows_every_line(width: int) -> None:
    """The terminal shows the need and the answer of every line, as a table or as sentences."""
    console = Console(width=width, record=True, file=StringIO())
    print_decisions(synthetic_report(), console)
    words = console.export_text().split()
    for each in decisions(synthetic_report()):
        assert set(each.answer.replace(",", "").split()) <= {word.strip(",") for word in words}


def test_choose_page_is_in_step_with_the_report() -> None:
    """docs/choose.md holds exactly what `./lab report docs/results` writes."""
    page = (DOCS / "choose.md").read_text()
    assert with_decisions(page, read_report(DOCS / "results" / "report.json")) == page


def test_page_without_markers_is_refused() -> None:
    """A page that lost a marker is not changed, and the message names the missing line."""
    with pytest.raises(LabError, match="begin"):
        with_decisions("text", synthetic_report())
    with pytest.raises(LabError, match="end"):
        with_decisions(f"text {BEGIN}", synthetic_report())
    assert END in with_decisions(f"{BEGIN}{END}", synthetic_report())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (12345, "12\u202f345"),
        (1.2345, "1.23"),
        (0.01234, "0.0123"),
        (float("inf"), "not reached"),
    ],
)
def test_number_has_three_significant_digits(value: float | None, text: str) -> None:
    """Figures have three significant digits, because no run is more precise."""
    assert number(value) == text
