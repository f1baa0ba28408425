"""What can be set for containers: docs/containers.md for the stacks, monitoring/README.md for what watches them."""

import re
from collections.abc import Iterable
from pathlib import Path


def variables_of(files: Iterable[Path]) -> dict[str, str]:
    """What compose files take from their user, by name, with its default."""
    return dict(re.findall(r"\$\{(\w+):-(.*?)\}", "".join(file.read_text() for file in files)))


def test_every_variable_of_monitoring_is_documented(root: Path) -> None:
    """Likewise the table of monitoring/README.md."""
    table = re.findall(
        r"^\| `(WALLET_\w+)` \| (\S+) \|", (root / "monitoring/README.md").read_text(), re.MULTILINE
    )
    assert dict(table) == variables_of((root / "monitoring").glob("*.yml"))


def test_every_variable_of_the_compose_files_is_documented(
    root: Path, containers_page: dict[str, list[list[str]]]
) -> None:
    """The table has each variable that a compose file takes from its user, with its default there, and no other."""
    files = [*root.glob("docker-compose.*.yml"), *(root / "kernel/containers").glob("*.yml")]
    found = variables_of(files)
    documented = {name: default.replace("random", "") for name, default, _ in containers_page["Settings"]}
    assert documented == found
