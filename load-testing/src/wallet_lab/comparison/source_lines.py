"""Counts the lines of source that the services of an architecture consist of: their own, and those of the kernel.

A line counts if it has code: blank lines, comments and docstrings do not. The services consist of the modules that they
import, directly or not, and of the SQL files beside these modules. Migrations are not part of a service.
"""

import ast
import io
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

OWN_PREFIX = "wallet_"
KERNEL = "wallet_kernel"
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of an architecture."""

    own: int
    kernel: int


def count(modules: Iterable[str]) -> Lines:
    """Count the lines of services, given the modules that they run."""
    files = {name: path for name in closure(modules, _source) if (path := _file(name))}
    kernel = {name: path for name, path in files.items() if name.partition(".")[0] == KERNEL}
    own = {name: path for name, path in files.items() if name not in kernel}
    return Lines(_of_files(own.values()), _of_files(kernel.values()))


def closure(modules: Iterable[str], source: Callable[[str], str | None]) -> set[str]:
    """Return the modules and everything of this project that they import. Pure.

    `source` returns the text of a module; None if there is none of this name.
    """
    found: set[str] = set()
    left = [name for module in modules for name in (module, f"{module}.__main__")]
    while left:
        name = left.pop()
        if name in found or not name.startswith(OWN_PREFIX) or ".migrations" in name:
            continue
        if (text := source(name)) is not None:
            found.add(name)
            left += imported(text)
    return found


def imported(source: str) -> set[str]:
    """Return the names in the import statements of a module, and those of modules that they may mean. Pure."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def python_lines(source: str) -> int:
    """Count the lines of Python code. Pure."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    code = {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - set(_docstring_lines(source)))


def _docstring_lines(source: str) -> Iterator[int]:
    """Yield the lines of statements that are only a text: docstrings, also those of attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def sql_lines(source: str) -> int:
    """Count the lines of SQL that are neither blank nor comments. Pure."""
    lines = (line.strip() for line in source.splitlines())
    return sum(bool(line) and not line.startswith("--") for line in lines)


def _of_files(paths: Iterable[Path]) -> int:
    modules = set(paths)
    sql = {file for path in modules for file in (*path.parent.glob("*.sql"), *path.parent.glob("sql/*.sql"))}
    return sum(python_lines(path.read_text()) for path in modules) + sum(
        sql_lines(file.read_text()) for file in sql
    )


def _source(name: str) -> str | None:
    path = _file(name)
    return path.read_text() if path else None


def _file(name: str) -> Path | None:
    """Return the file of a module without importing it; None if there is none."""
    package, *parts = name.split(".")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    place = Path(spec.submodule_search_locations[0], *parts)
    for file in (place / "__init__.py", place.with_suffix(".py")):
        if file.is_file():
            return file
    return None
