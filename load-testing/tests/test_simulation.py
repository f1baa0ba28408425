"""The decisions of a report make few errors: a short simulation of reports whose truth is known."""

from collections.abc import Mapping
from statistics import NormalDist

import pytest

from wallet_lab.comparison.plan import CAPACITY, CONSISTENCY, FULL, SUSTAINED
from wallet_lab.comparison.simulation.errors import Errors, errors
from wallet_lab.comparison.simulation.machine import CALM, DRIFT, REALISTIC, Noise
from wallet_lab.comparison.simulation.report import Extent
from wallet_lab.statistics import differences, verdicts

SMALL = Extent(scenarios=4, injections=0)
NO_DIFFERENCE = (1.0, 1.0)
pytestmark = pytest.mark.slow
REPORTS = 120


def test_simulated_report_has_the_extent_of_the_full_comparison() -> None:
    """A simulated report has the blocks, the repetitions and the injections of `./lab compare`."""
    extent, no_blocks = Extent(), {CAPACITY, CONSISTENCY, SUSTAINED}
    assert extent.scenarios == len(set(FULL.scenarios) - no_blocks)
    assert extent.blocks == FULL.blocks == FULL.other_blocks
    assert (extent.again_max, extent.injections) == (FULL.again_max, FULL.injections)


def simulated(noise: Noise, ratios: tuple[float, ...] = NO_DIFFERENCE, extent: Extent = SMALL) -> Errors:
    """Simulate the short form; the fixed seed gives the same counts in every run."""
    return errors(noise, ratios, extent, REPORTS)


@pytest.mark.parametrize("noise", [CALM, REALISTIC], ids=lambda noise: noise.name)
def test_reports_without_a_true_difference_rarely_show_one(noise: Noise) -> None:
    """At most 5 % of reports have a false difference, and as few have a false A/A; intervals cover as promised."""
    found = simulated(noise)
    assert found.false_difference <= verdicts.ERROR_RATE
    assert found.false_again <= verdicts.ERROR_RATE
    assert 0.94 <= found.coverage <= 0.98


def test_reports_at_the_edge_of_the_band_rarely_show_an_equality() -> None:
    """At most 5 % of reports call a pair equal whose true ratio is at the edge of the band."""
    assert simulated(CALM, (differences.BAND, 1 / differences.BAND)).false_equality <= verdicts.ERROR_RATE


def test_reports_show_most_true_differences_of_a_fifth() -> None:
    """With ten blocks, most differences of 20 % in server CPU are shown, and equal architectures are called equal."""
    found = simulated(CALM, (1.0, 1.2))
    assert found.shown["server CPU", 1.2] > 0.9
    assert found.shown["server CPU", 1.0] > 0.5


def test_quick_reports_have_intervals_but_no_verdicts() -> None:
    """With three blocks, no verdict is given, whether true or false, but the intervals cover as promised."""
    found = simulated(CALM, (1.0, 2.0), Extent(scenarios=4, blocks=3, injections=0))
    assert set(found.shown.values()) == {0.0}
    assert 0.94 <= found.coverage <= 0.96


def test_drift_gate_repeats_blocks_on_a_moving_machine_only() -> None:
    """The gate repeats blocks if the machine drifts, hardly any if it is calm, and few stay moved."""
    calm, drifting = simulated(CALM), simulated(DRIFT)
    assert calm.repeated < 0.01
    assert drifting.repeated > 0.05
    assert drifting.moved < drifting.repeated / 2


def test_simulation_notices_a_missing_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Holm's correction, more than a third of the reports have a false difference."""

    def unadjusted(p_values: Mapping[str, float]) -> dict[str, float]:
        return dict(p_values)

    monkeypatch.setattr(verdicts, "holm", unadjusted)
    assert simulated(CALM).false_difference > 0.3


def test_simulation_notices_a_normal_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a normal distribution instead of Student's, reports have false differences and intervals are too narrow."""

    def normal_tail(distance: float, error: float, _freedom: int) -> float:
        return NormalDist().cdf(-distance / error)

    monkeypatch.setattr(differences, "_t_tail", normal_tail)
    monkeypatch.setattr(differences, "t_quantile", lambda _freedom: NormalDist().inv_cdf(0.975))
    found = simulated(CALM)
    assert found.false_difference > 0.08
    assert found.coverage < 0.93


def test_simulation_of_recovery_times_has_the_promised_coverage() -> None:
    """Intervals of recovery times cover at least as often as promised, with times that were not reached."""
    found = errors(CALM, NO_DIFFERENCE, Extent(scenarios=1, blocks=2, injections=10), 30)
    assert found.coverage_of_recovery >= 0.94
    assert found.false_difference <= verdicts.ERROR_RATE
