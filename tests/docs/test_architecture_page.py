"""docs/architecture.md: the table of twin modules, and the table that says where each thing is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAGA = ROOT / "saga/src/wallet_saga"
CQRS = ROOT / "event-driven-cqrs/src/wallet_cqrs"
PLACES_MIN = 12
SERVICE_FILES = {"__init__.py", "__main__.py"}


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, as lists of cells."""
    page = (ROOT / "docs/architecture.md").read_text()
    section = re.split(r"^## ", page.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[1:]]


def paths(cell: str) -> list[str]:
    """The paths of modules in a cell."""
    return re.findall(r"`([\w/-]+\.(?:py|js|sql|toml))`", cell)


def modules(package: Path) -> set[str]:
    """The names of a package's modules, without migrations."""
    found = {
        path.name for path in package.rglob("*.py") if "migrations" not in path.relative_to(package).parts
    }
    return found - SERVICE_FILES


@pytest.mark.parametrize("row", table("Twin modules"), ids=lambda row: row[0])
def test_twin_modules_exist_under_the_same_name(row: list[str]) -> None:
    """Each row of twins names existing modules of both architectures, and their file names are equal."""
    _, saga, cqrs = row
    assert paths(saga)
    assert paths(cqrs)
    assert [path for path in paths(saga) if not (SAGA / path).is_file()] == []
    assert [path for path in paths(cqrs) if not (CQRS / path).is_file()] == []
    assert {Path(path).name for path in paths(saga)} == {Path(path).name for path in paths(cqrs)}


def test_table_has_every_module_that_both_architectures_have() -> None:
    """Every file name that occurs in both architectures is in the table of twins."""
    listed = {Path(path).name for row in table("Twin modules") for path in paths(row[1])}
    assert listed == modules(SAGA) & modules(CQRS)


def test_table_of_places_answers_twelve_questions() -> None:
    """The page says where at least twelve things are."""
    assert len(table("Where to find things")) >= PLACES_MIN


@pytest.mark.parametrize("row", table("Where to find things"), ids=lambda row: row[0])
def test_places_exist_and_define_what_they_are_named_for(row: list[str]) -> None:
    """Each place is an existing file, and each name in its row is defined there."""
    _, place, names = row
    files = [ROOT / path for path in paths(place)]
    assert files
    assert [file for file in files if not file.is_file()] == []
    text = "\n".join(file.read_text() for file in files)
    for name in re.findall(r"`(\w+)`", names):
        assert re.search(
            rf"\b(def|class|function|const|let)\s+{name}\b|^{name}\b|\b{name} AS \(", text, re.MULTILINE
        ), name
