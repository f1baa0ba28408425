"""docs/performance.md lists the rows of `./lab bench --targets` and the limits of the architectures' adapters."""

import re
from pathlib import Path

from wallet_lab.architectures import baseline, control, find
from wallet_lab.comparison.targets.rows import Row, rows

PAGE = (Path(__file__).parents[2] / "docs/performance.md").read_text()
NAMES = ("saga", "cqrs")


def limit(row: Row, architecture: str) -> str:
    """The limit of an architecture in a row, as the page shows it."""
    found = find(architecture).performance_targets.get(row.key)
    return "–" if found is None else f"{row.bound} {found:g}"


def test_page_lists_every_row_with_its_limits() -> None:
    """The table has exactly the rows of the command, in its order, with the limits of the adapters."""
    table = PAGE.partition("## Targets\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `.*$", table, re.MULTILINE)
    assert lines == [
        f"| `{row.key}` | {row.text} | {' | '.join(limit(row, name) for name in NAMES)} |"
        for row in rows(control().name, baseline().name)
    ]
