"""docs/containers.md: what can be set, and nothing else."""

import re
from pathlib import Path


def test_every_variable_of_the_compose_files_is_documented(
    root: Path, containers_page: dict[str, list[list[str]]]
) -> None:
    """The table has each variable that a compose file takes from its user, with its default there, and no other."""
    files = [*root.glob("docker-compose.*.yml"), *(root / "kernel/containers").glob("*.yml")]
    found = dict(re.findall(r"\$\{(\w+):-(.*?)\}", "".join(file.read_text() for file in files)))
    documented = {name: default.replace("random", "") for name, default, _ in containers_page["Settings"]}
    assert documented == found
