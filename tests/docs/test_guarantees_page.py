"""docs/guarantees.md names only safeguards, tests and mutations that exist, and names every mutation."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
ROWS = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| (saga|cqrs|both|acid|acid-batched|two-phase) \|", line)
]
MUTATIONS = {
    name: columns
    for table in sorted((ROOT / "tests" / "mutations").glob("*.toml"))
    for name, columns in tomllib.loads(table.read_text()).items()
}


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """The names of a file's tests. Empty if the file does not exist."""
    path = ROOT / file
    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def exists(test: str) -> bool:
    """Whether the test `file::function` exists. Its parameters are not checked."""
    file, _, function = test.partition("::")
    return function.partition("[")[0] in names_of_tests(file)


def test_every_test_that_is_named_exists() -> None:
    """Every test that the tables or the text name exists."""
    named = set(re.findall(r"`([\w/.-]+\.py::\w+)`", PAGE))
    assert len(named) >= len({row[3] for row in ROWS})
    assert sorted(test for test in named if not exists(test)) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[4]))
def test_a_row_says_what_its_mutation_does(row: list[str]) -> None:
    """The row's mutation exists, changes the row's file, and names the row's test."""
    _, _, where, test, mutation = row
    assert MUTATIONS[mutation]["file"] == where
    assert MUTATIONS[mutation]["fails"].partition("[")[0] == test


def test_every_mutation_is_explained() -> None:
    """Every mutation belongs to a guarantee on the page."""
    assert {row[4] for row in ROWS} == MUTATIONS.keys()


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_fits_the_code(name: str) -> None:
    """A mutation's snippet occurs exactly once in its file, and its test exists. This check needs no mutation run."""
    mutation = MUTATIONS[name]
    assert (ROOT / mutation["file"]).read_text().count(mutation["replace"]) == 1
    assert exists(mutation["fails"])


PLANTED = tomllib.loads((ROOT / "load-testing/tests/planted_bugs.toml").read_text())


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_fits_the_code(bug: str) -> None:
    """Each snippet that the lab's planted bugs replace occurs exactly once in its file."""
    for change in PLANTED[bug]:
        assert (ROOT / change["file"]).read_text().count(change["replace"]) == 1, change
