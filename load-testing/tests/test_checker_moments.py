"""The checker: answers that only the order of events proves wrong. Each scene passes with the honest answer."""

import pytest
from lab_support.scenes import HONEST_SCENES, WRONG_SCENES, Scene, after_an_honest_run
from lab_support.verdicts import failures


@pytest.mark.parametrize(("scene", "rule"), WRONG_SCENES)
def test_checker_finds_a_wrong_answer_in_a_scene(scene: Scene, rule: str) -> None:
    """The rule finds the answer that the wallet did not allow at that moment."""
    history = after_an_honest_run()
    scene(history, False)
    assert list(failures(history.evidence())) == [rule]


@pytest.mark.parametrize("scene", HONEST_SCENES)
def test_checker_passes_the_right_answer_in_a_scene(scene: Scene) -> None:
    """The same scene with the right answer passes."""
    history = after_an_honest_run()
    scene(history, True)
    assert failures(history.evidence()) == {}
