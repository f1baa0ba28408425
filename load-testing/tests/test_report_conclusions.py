"""Which architecture is ahead, by how much, and how certain: the report's first table."""

import msgspec
import pytest
from lab_support.synthetic import LOST, synthetic_report

from wallet_lab.report.conclusions import delay_conclusions, judge, load_conclusions, recovery_conclusions
from wallet_lab.report.headlines import headlines
from wallet_lab.report.model import Report
from wallet_lab.report.selection import LATENCY, THROUGHPUT, by_repeat, runs_of, settled
from wallet_lab.report.statistics import Estimate, certainty, estimate, paired_ratio
from wallet_lab.report.wording import number


def test_few_repeats_give_their_lowest_and_highest() -> None:
    """With fewer than five repeats, the interval is the lowest and highest value."""
    assert estimate([3, 1, 2]) == Estimate(median=2, low=1, high=3, repeats=3)
    assert estimate([]) is None


def test_many_repeats_give_an_interval_that_is_narrower_than_their_range() -> None:
    """With five or more repeats, the bootstrap interval is narrower than the range and reproducible."""
    values = [10.0, 11, 12, 13, 14, 15, 16, 17, 99]
    found = estimate(values)
    assert found == estimate(values)
    assert found is not None
    assert 10 < found.low < found.median == 14 < found.high < 99


def test_ratios_compare_like_with_like() -> None:
    """Ratios are computed per repeat, so a slowing machine does not change them; unpaired repeats are left out."""
    ratio = paired_ratio({0: 200, 1: 100, 2: 50}, {0: 100, 1: 50, 2: 25, 3: 1})
    assert ratio == Estimate(median=2, low=2, high=2, repeats=3)


@pytest.mark.parametrize(
    ("ratio", "sure"),
    [
        (Estimate(1.5, 1.2, 1.9, 5), "clear"),
        (Estimate(1.5, 1.2, 1.9, 3), "likely"),
        (Estimate(1.5, 1.2, 1.9, 2), "hint"),
        (Estimate(1.5, 1.5, 1.5, 1), "hint"),
        (Estimate(1.5, 0.9, 1.9, 5), "none"),
        (Estimate(1.03, 1.02, 1.04, 9), "none"),
        (Estimate(0.5, 0.4, 0.6, 5), "clear"),
    ],
)
def test_how_sure_a_difference_is(ratio: Estimate, sure: str) -> None:
    """A difference is certain if enough repeats agree and it is large enough."""
    assert certainty(ratio) == sure


def test_the_better_one_is_ahead_whichever_way_better_is() -> None:
    """More throughput or less latency is ahead, and the ratio is at least 1."""
    values = {"saga": {0: 100.0, 1: 100, 2: 100}, "cqrs": {0: 200.0, 1: 200, 2: 200}}
    more, less = judge(values, "more"), judge(values, "less")
    assert (more.ahead, less.ahead) == ("cqrs", "saga")
    assert more.ratio == less.ratio == Estimate(2, 2, 2, 3)


def test_nothing_beats_something_without_a_ratio() -> None:
    """A delay of 0 is ahead of any other delay, without a ratio."""
    verdict = judge({"saga": {0: 0.0, 1: 0, 2: 0}, "cqrs": {0: 8.0, 1: 9, 2: 7}}, "less")
    assert (verdict.ahead, verdict.ratio, verdict.certainty) == ("saga", None, "likely")


def test_one_architecture_alone_is_not_ahead() -> None:
    """If there is only one architecture, none is ahead."""
    assert judge({"saga": {0: 1.0}, "cqrs": {}}, "more").ahead is None


def test_one_failed_audit_withholds_all_repeats() -> None:
    """If one repeat failed its audit, all repeats of that architecture are withheld."""
    report = synthetic_report()
    verdicts = load_conclusions(report)["zipf"]
    assert {verdict.missing for verdict in verdicts.values()} == {f"cqrs withheld: {LOST}"}
    assert all(verdict.ahead is None for verdict in verdicts.values())
    assert settled(report, "cqrs", "zipf", THROUGHPUT) is None


def test_a_given_rate_is_no_throughput_and_a_sweep_counts_its_best() -> None:
    """A fixed arrival rate is no throughput; for a sweep, the highest acknowledged rate counts."""
    report = synthetic_report(repeats=1)
    assert by_repeat(runs_of(report, "saga", "open"), THROUGHPUT) == {}
    steps = runs_of(report, "saga", "sweep")
    best = {1: max(run.acked_per_s or 0 for run in steps)}
    assert by_repeat(steps, THROUGHPUT) == by_repeat(reversed(steps), THROUGHPUT) == best
    assert by_repeat(steps, LATENCY) == {}


def test_delays_and_recoveries_are_compared_where_both_have_them() -> None:
    """Delays are compared by load, and recoveries by the role that the fault hits."""
    report = synthetic_report()
    assert {load: verdict.ahead for load, verdict in delay_conclusions(report).items()} == {
        "idle": "saga",
        "open": "saga",
    }
    assert list(recovery_conclusions(report)) == ["the service that writes", "the database that takes writes"]


def test_the_headlines_are_computed() -> None:
    """The headlines follow the figures: if the names are exchanged, the other architecture is ahead."""
    text = msgspec.json.encode(synthetic_report()).decode()
    swapped = text.replace('"saga"', '"SAGA"').replace('"cqrs"', '"saga"').replace('"SAGA"', '"cqrs"')
    for report, ahead in ((text, "saga"), (swapped, "cqrs")):
        found = headlines(msgspec.json.decode(report, type=Report))
        assert found[0].startswith("1 of 96 audits failed")
        assert f"{ahead} is ahead in 6" in found[1]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (12345, "12\u2009345"), (1.2345, "1.23"), (0.01234, "0.0123")]
)
def test_numbers_have_three_digits_that_count(value: float | None, text: str) -> None:
    """Figures have three significant digits, because no run is more precise."""
    assert number(value) == text
