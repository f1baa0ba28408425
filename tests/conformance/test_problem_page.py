"""docs/problems.md explains every problem type with an example that follows the contract."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.blackbox.problems import STATUS

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"


def section(name: str) -> str:
    """The text below the heading of one type."""
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{PAGE} has no section for {name}"
    return found.group(1)


@pytest.mark.parametrize("name", STATUS)
def test_every_type_is_explained(name: str) -> None:
    """Each type has a section: what happened, what to do, and an example document."""
    text = section(name)
    assert "**What happened.**" in text
    assert "**What to do.**" in text


@pytest.mark.parametrize("name", STATUS)
def test_every_example_is_a_complete_document(name: str) -> None:
    """The example of a type is complete JSON with that type and its status."""
    (example,) = re.findall(r"```json\n(.*?)```", section(name), re.DOTALL)
    document = json.loads(example)
    assert {"type", "title", "status", "detail", "instance"} <= set(document)
    assert (document["type"], document["status"]) == (f"/problems/{name}", STATUS[name])


def test_page_has_no_other_type() -> None:
    """The page has no section for a type that the services never send."""
    assert set(re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)) == set(STATUS)
