"""docs/glossary.md names only code that exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = ("kernel", "saga", "event-driven-cqrs")
CODE = re.findall(r"`([^`]+)`", (ROOT / "docs/glossary.md").read_text())
NAME = re.compile(r"@?[A-Za-z][\w-]*")
NAMES = sorted({name for code in CODE for name in code.split(": ") if NAME.fullmatch(name)})
"""A header with its value, such as `Connection: close`, is two names. Amounts and sets of characters are none."""


def names_in(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines, and its texts: members of documents, headers and accounts."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.arg(arg=name):
                yield name
            case ast.Constant(value=str(text)):
                yield text
            case ast.Constant(value=bytes(text)):
                yield text.decode(errors="replace")


@cache
def source_names() -> frozenset[str]:
    """The names in the services' code."""
    files = [file for member in MEMBERS for file in (ROOT / member / "src").rglob("*.py")]
    return frozenset(name for file in files for name in names_in(ast.parse(file.read_text())))


def exists(name: str) -> bool:
    """Whether the code has this name. The code has headers in lower case."""
    return name in source_names() or name.lower() in source_names()


@pytest.mark.parametrize("name", NAMES)
def test_name_in_the_glossary_exists(name: str) -> None:
    """Every name in backticks is a name, a header or a text in the code of the services."""
    assert exists(name)


@pytest.mark.parametrize("name", ["DebitPurse", "X-Invented"])
def test_invented_name_is_found(name: str) -> None:
    """The check can fail: a name that no code has is found."""
    assert not exists(name)
