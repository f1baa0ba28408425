"""Only `architectures/` names an architecture, so that a new one is one folder and one line in the registry."""

import re
from pathlib import Path

from wallet_lab.architectures import NAMES

LAB = Path(__file__).resolve().parents[2] / "load-testing/src/wallet_lab"
NAME = re.compile("|".join((*NAMES, "no-op")), re.IGNORECASE)
# Words that contain a name and mean something else.
OTHER_WORDS = re.compile("noopener|two-phase commit", re.IGNORECASE)
TEXT = {".py", ".sql", ".sh", ".jinja", ".css", ".js", ".toml"}

# The lines that may name an architecture, by file.
REPORT = {
    "report/model.py": 5,  # the field `noop` of report.json, and what the fields mean
    "report/selection.py": 1,  # the control, which is never compared
    "comparison/build_report.py": 1,  # fills the field `noop`
}
OTHERS = {
    "checks.py": 2,  # the baseline whose tests run
}
# This package describes one architecture a folder.
PACKAGES = ("architectures",)


def names_one(line: str) -> bool:
    """Whether a line names an architecture."""
    return NAME.search(OTHER_WORDS.sub("", line)) is not None


def found() -> dict[str, int]:
    """Return the number of lines that name an architecture, by file."""
    counts = {}
    for path in sorted(LAB.rglob("*")):
        name = path.relative_to(LAB)
        if path.suffix in TEXT and name.parts[0] not in PACKAGES:
            lines = sum(names_one(line) for line in path.read_text().splitlines())
            counts[name.as_posix()] = lines
    return {name: lines for name, lines in counts.items() if lines}


def test_no_other_file_names_an_architecture() -> None:
    """Outside `architectures/`, only the listed lines name an architecture: the report's wording."""
    assert found() == {**REPORT, **OTHERS}


def test_the_pattern_finds_names() -> None:
    """The pattern matches the names in code, in words and in compounds, and no other word."""
    assert all(map(names_one, ("Saga", "wallet_cqrs", "the no-op target", 'noop="x"')))
    assert not any(map(names_one, ("rel=noopener", "for two-phase commit")))
