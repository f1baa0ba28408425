"""Compose variables: docs/containers.md lists those of the stacks, monitoring/README.md those of monitoring."""

import re
from collections.abc import Iterable
from pathlib import Path


def variables_of(files: Iterable[Path]) -> dict[str, str]:
    """The variables that a compose file reads from its user, with their defaults."""
    return dict(re.findall(r"\$\{(\w+):-(.*?)\}", "".join(file.read_text() for file in files)))


def test_every_variable_of_monitoring_is_documented(root: Path) -> None:
    """The table of variables in monitoring/README.md."""
    table = re.findall(
        r"^\| `(WALLET_\w+)` \| (\S+) \|", (root / "monitoring/README.md").read_text(), re.MULTILINE
    )
    assert dict(table) == variables_of((root / "monitoring").glob("*.yml"))


def test_every_variable_of_the_compose_files_is_documented(
    root: Path, containers_page: dict[str, list[list[str]]]
) -> None:
    """The table lists exactly the variables that the compose files read, with their defaults."""
    files = [*root.glob("docker-compose.*.yml"), *(root / "kernel/containers").glob("*.yml")]
    found = variables_of(files)
    documented = {name: default.replace("random", "") for name, default, _ in containers_page["Settings"]}
    assert documented == found
