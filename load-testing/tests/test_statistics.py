"""The conclusions from the figures of a report: ratios, intervals, corrections and verdicts."""

import math

import pytest
from scipy import stats

from wallet_lab.statistics import again
from wallet_lab.statistics.blocks import calmest, has_drifted, movement
from wallet_lab.statistics.differences import BAND, Difference, paired
from wallet_lab.statistics.recovery_times import unpaired
from wallet_lab.statistics.summaries import geometric_mean, proportion, quantile
from wallet_lab.statistics.verdicts import decide, holm

NOISE = (0.02, -0.01, 0.03, -0.02, 0.0, 0.01, -0.03, 0.02, -0.02, 0.01)


def difference(ratio: float, blocks: int = 10) -> Difference:
    """Compare two architectures with this true ratio under a little noise."""
    found = paired({i: ratio * math.exp(NOISE[i]) for i in range(blocks)}, dict.fromkeys(range(blocks), 1.0))
    assert found is not None
    return found


def test_ratio_has_the_t_interval_and_p_value_of_scipy() -> None:
    """The interval and the p value are those of SciPy's one-sample t test on the log ratios."""
    expected = stats.ttest_1samp([math.log(1.2) + each for each in NOISE], 0)
    interval = expected.confidence_interval(0.95)
    found = difference(1.2)
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((interval.low, interval.high))
    assert found.p_different == pytest.approx(expected.pvalue)
    assert found.count == 10


def test_equality_has_the_p_value_of_the_nearer_edge() -> None:
    """The p value of equality is that of the one-sided test against the nearer edge of the band."""
    logs = [math.log(1.05) + each for each in NOISE]
    expected = stats.ttest_1samp(logs, math.log(BAND), alternative="less")
    assert difference(1.05).p_equal == pytest.approx(expected.pvalue)
    assert difference(1.05).inverse().p_equal == pytest.approx(expected.pvalue)


def test_ratio_is_unchanged_by_a_machine_that_becomes_slower() -> None:
    """A change of the machine's speed between blocks cancels, because ratios are taken within blocks."""
    found = paired({1: 200.0, 2: 100.0, 3: 50.0}, {1: 100.0, 2: 50.0, 3: 25.0, 4: 1.0})
    assert found is not None
    assert (found.ratio, found.low, found.high) == pytest.approx((2, 2, 2))
    assert found.count == 3
    assert found.p_different < 1e-9


def test_block_without_one_figure_does_not_count() -> None:
    """A block counts only if both architectures have a figure, so a withheld figure removes its block."""
    found = paired({1: 2.0, 2: None, 3: 4.0}, {1: 1.0, 2: 1.0, 3: 2.0})
    assert found is not None
    assert found.count == 2
    assert paired({1: None}, {1: 1.0}) is None


def test_single_block_has_a_ratio_without_an_interval() -> None:
    """One block says nothing about its noise, so the interval is unlimited and nothing is shown."""
    assert paired({1: 1.0}, {1: 1.0}) == Difference(1.0, 0.0, math.inf, 1, 1.0, 1.0)


def test_zero_has_no_ratio_without_a_floor() -> None:
    """A figure of 0 has no ratio; with a floor, it counts as the floor and the ratio is a lower limit."""
    assert paired({1: 5.0, 2: 5.0}, {1: 0.0, 2: 1.0}) is None
    found = paired({1: 5.0, 2: 5.0}, {1: 0.0, 2: 1.0}, floor=1.0)
    assert found is not None
    assert found.ratio == pytest.approx(5)
    assert found.at_least


def test_both_figures_below_the_floor_are_equal() -> None:
    """Two architectures whose figures are all below the floor are equal."""
    below = dict.fromkeys(range(10), 0.1)
    found = paired(below, dict.fromkeys(range(10), 0.0), floor=1.0)
    assert found is not None
    assert decide({"delay": found})["delay"].verdict == "equal"


def test_inverse_exchanges_the_architectures() -> None:
    """The inverse is the comparison of the second architecture with the first."""
    there, back = difference(1.25), difference(1.25).inverse().inverse()
    assert (back.low, back.ratio, back.high) == pytest.approx((there.low, there.ratio, there.high))
    assert Difference(0.0, 0.0, 2.0, 3, 1.0, 1.0).inverse().ratio == math.inf


def test_holm_multiplies_the_smallest_p_value_by_the_number_of_cells() -> None:
    """Adjusted p values follow Holm: the k-th smallest is multiplied by the cells that remain, and never falls."""
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert holm({}) == {}


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(1.3, "ahead"), (0.7, "behind"), (1.01, "equal"), (1.09, "ahead")]
)
def test_verdict_names_the_direction_or_the_equality(ratio: float, verdict: str) -> None:
    """The first architecture is ahead, behind or equal; a sure but small difference is an equality."""
    assert decide({"cell": difference(ratio)})["cell"].verdict == verdict


def test_verdict_needs_stronger_evidence_among_more_cells() -> None:
    """A cell that is clear alone is undecided among many cells that show nothing."""
    clear = Difference(1.2, 1.05, 1.4, 10, p_different=0.01, p_equal=0.9)
    nothing = Difference(1.0, 0.8, 1.25, 10, p_different=0.9, p_equal=0.3)
    assert decide({"clear": clear})["clear"].verdict == "ahead"
    many = decide({"clear": clear} | {str(i): nothing for i in range(20)})
    assert many["clear"].verdict == "undecided"


def test_few_blocks_have_no_verdict_and_do_not_burden_other_cells() -> None:
    """Cells with fewer than six blocks say so, and are not counted among the tests."""
    cells = {i: difference(1.5, blocks=5) for i in range(20)}
    found = decide({**cells, "full": Difference(1.2, 1.05, 1.4, 10, 0.04, 0.9)})
    assert found[0].verdict == "too few blocks"
    assert found["full"].verdict == "ahead"


@pytest.mark.parametrize(
    ("before", "after", "drifted"),
    [
        (100, 109, False),
        (109, 100, False),
        (100, 111, True),
        (111, 100, True),
        (None, 100, True),
        (100, 0, True),
    ],
)
def test_block_drifts_if_its_control_moves_by_more_than_a_tenth(
    before: float | None, after: float | None, drifted: bool
) -> None:
    """The gate looks at both directions, and a control without a figure counts as moved."""
    assert has_drifted(before, after) is drifted


def test_calmest_attempt_counts_if_all_have_drifted() -> None:
    """The attempt whose controls differ least is the one that counts."""
    assert calmest([(100, 150), (100, 120), (None, 100)]) == 1
    assert movement(100, 120) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("count", "low", "high", "coverage"),
    [(3, 1, 3, 0.75), (6, 1, 6, 0.969), (10, 2, 9, 0.979), (20, 6, 15, 0.959)],
)
def test_median_has_an_interval_between_two_values_of_known_coverage(
    count: int, low: float, high: float, coverage: float
) -> None:
    """The interval's ends are ranks, and the coverage that they achieve is stated, also if it is below 95 %."""
    found = quantile([float(i) for i in range(1, count + 1)])
    assert found is not None
    assert (found.low, found.high, found.count) == (low, high, count)
    assert found.coverage == pytest.approx(coverage, abs=0.001)


def test_time_that_was_not_reached_is_longer_than_all_others() -> None:
    """A missing time ranks last, so it raises the median and leaves the interval open above."""
    found = quantile([1.0, 2.0, None, 3.0, None, None, None])
    assert found is not None
    assert (found.value, found.low, found.high) == (math.inf, 1.0, math.inf)


def test_quantile_that_is_not_the_median_is_one_of_the_values() -> None:
    """A high quantile of few values has an interval with a low coverage, and says so."""
    found = quantile([float(i) for i in range(1, 11)], share=0.9)
    assert found is not None
    assert (found.value, found.low, found.high) == (9, 7, 10)
    assert found.coverage == pytest.approx(0.638, abs=0.001)


def test_geometric_mean_has_the_t_interval_of_the_logarithms() -> None:
    """The mean of positive figures is geometric; a single figure has no coverage; 0 has no geometric mean."""
    found = geometric_mean([1.0, 2.0, 4.0])
    assert found is not None
    assert found.value == pytest.approx(2)
    assert found.low < 1
    assert found.high > 4
    single = geometric_mean([5.0])
    assert single is not None
    assert single.coverage == 0
    assert geometric_mean([0.0, 1.0]) is geometric_mean([]) is None


def test_proportion_has_an_exact_interval() -> None:
    """The interval of a share is that of SciPy's exact binomial test, also at 0 and 1."""
    for hits in (0, 3, 20):
        exact = stats.binomtest(hits, 20).proportion_ci()
        found = proportion(hits, 20)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert proportion(0, 0) is None


def test_recovery_times_are_compared_by_ranks() -> None:
    """Times of unpaired injections have a ratio with a rank interval and the exact p value of Mann and Whitney."""
    slow, fast = [2.0 + i / 100 for i in range(10)], [1.0 + i / 99 for i in range(10)]
    found = unpaired(slow, fast, floor=0.01)
    assert found is not None
    assert found.p_different == pytest.approx(stats.mannwhitneyu(slow, fast, method="exact").pvalue)
    assert found.low < found.ratio < found.high
    assert found.count == 10
    assert decide({"kill": found})["kill"].verdict == "ahead"


def test_recovery_that_is_not_reached_is_slower_than_every_other() -> None:
    """If one architecture never recovers before the next injection, the ratio is infinite and certain."""
    found = unpaired([None] * 10, [1.0 + i / 99 for i in range(10)], floor=0.01)
    assert found is not None
    assert (found.ratio, found.low, found.high) == (math.inf, math.inf, math.inf)
    assert found.p_different < 0.001
    assert found.inverse().ratio == 0


def test_recovery_times_that_agree_are_equal() -> None:
    """Times that all lie close to each other, or are all at most the floor, are equal."""
    near = unpaired([1 + i / 1000 for i in range(10)], [1 + i / 999 for i in range(10)], floor=0.01)
    nothing = unpaired([0.0] * 10, [0.001] * 10, floor=0.01)
    assert near is not None
    assert nothing is not None
    assert {each.verdict for each in decide({"near": near, "nothing": nothing}).values()} == {"equal"}
    assert unpaired([], [1.0], floor=0.01) is unpaired([0.0], [1.0], floor=0) is None


def test_rank_interval_of_two_tens_leaves_the_published_number_of_ratios_outside() -> None:
    """For two samples of ten, the critical value of the rank test at 5 % is 23, so the 24th ratios are the ends."""
    first, second = [math.exp(i) for i in range(10)], [math.exp(i / 10) for i in range(10)]
    found = unpaired(first, second, floor=1e-9)
    ratios = sorted(a / b for a in first for b in second)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((ratios[23], ratios[-24]))


def test_second_runs_are_judged_like_two_architectures() -> None:
    """The A/A test counts the cells that the report would call different, and those that differ alone."""
    cells = {"a": difference(1.0), "b": difference(1.5), "few": difference(1.5, blocks=3)}
    found = again.judge(cells, difference(1.0))
    assert found is not None
    assert (found.cells, found.false, found.apparent.value) == (2, 1, 0.5)
    assert again.in_words(found, "server CPU").startswith(
        "A/A test, two runs of the same architecture: the method calls 1 of 2 cells different."
    )
    assert again.judge({"few": difference(1.0, blocks=3)}, difference(1.0)) is None
