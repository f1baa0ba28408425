"""docs/problems.md explains every problem type."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from wallet_kernel.contract.problems import PROBLEM_TYPES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "problems.md"
MEMBERS = ("kernel", "saga", "event-driven-cqrs")
DETAILS = re.findall(r'"detail": "(.*)"', PAGE.read_text())


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


@cache
def templates() -> tuple[list[str], ...]:
    """The literal parts of every text in the services' code; a value belongs between two parts."""
    files = [file for member in MEMBERS for file in (ROOT / member / "src").rglob("*.py")]
    return tuple(parts for file in files for parts in literal_parts(ast.parse(file.read_text())))


def literal_parts(tree: ast.Module) -> Iterator[list[str]]:
    """The parts of plain texts, of texts for `str.format`, and of f-strings."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield re.split(r"\{\w+\}", text)
            case ast.JoinedStr(values=values):
                text = "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in values)
                yield text.split("{}")


def can_be_produced(detail: str) -> bool:
    """Whether a template of the code gives this text, and at least half of the text is the template's."""
    return any(
        2 * sum(map(len, parts)) >= len(detail) and re.fullmatch(".+".join(map(re.escape, parts)), detail)
        for parts in templates()
    )


@pytest.mark.parametrize("detail", DETAILS)
def test_example_of_a_detail_can_be_produced(detail: str) -> None:
    """Every example of `detail` is a text, or fits a template, in the code of the services."""
    assert can_be_produced(detail)


def test_every_type_has_an_example_of_its_detail() -> None:
    """Each section has exactly one example, so that the test above checks all of them."""
    assert len(DETAILS) == len(PROBLEM_TYPES)


@pytest.mark.parametrize("detail", ["Shard 1 is unavailable.", "The wallet bob is sleeping."])
def test_invented_detail_is_found(detail: str) -> None:
    """The check can fail: a detail that no code produces is found, although parts of it occur in the code."""
    assert not can_be_produced(detail)
