"""Shared fixtures of the documentation tests: the pages' folder and their tables."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def docs() -> Path:
    """The folder docs/, whose pages belong to no member."""
    return ROOT / "docs"


def rows(page: Path) -> dict[str, list[list[str]]]:
    """The rows of a page's tables by heading, without backticks, header and ruler."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif re.match(r"\| ?`", line):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            found.setdefault(heading, []).append([cell.replace("`", "") for cell in cells])
    return found


@pytest.fixture(scope="session")
def settings_page(docs: Path) -> dict[str, list[list[str]]]:
    """The tables of docs/settings.md."""
    return rows(docs / "settings.md")


@pytest.fixture(scope="session")
def metrics_page(docs: Path) -> dict[str, list[list[str]]]:
    """The tables of docs/metrics.md."""
    return rows(docs / "metrics.md")


@pytest.fixture(scope="session")
def containers_page(docs: Path) -> dict[str, list[list[str]]]:
    """The tables of docs/containers.md."""
    return rows(docs / "containers.md")
