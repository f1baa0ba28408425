"""docs/problems.md explains every problem type."""

import re
from pathlib import Path

import pytest

from wallet_kernel.contract.problems import PROBLEM_TYPES

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"


def sections() -> dict[str, str]:
    """The page's sections by problem type."""
    return dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))


def test_every_type_has_a_section_and_no_other() -> None:
    """The page explains exactly the problem types that a service can answer."""
    assert sections().keys() == PROBLEM_TYPES.keys()


@pytest.mark.parametrize("name", PROBLEM_TYPES)
def test_section_shows_the_type_as_it_is(name: str) -> None:
    """The example of a type has that type's status and title."""
    text = sections()[name]
    assert f'"title": "{PROBLEM_TYPES[name].title}"' in text
    assert f'"status": {PROBLEM_TYPES[name].status}' in text
