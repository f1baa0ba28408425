"""The parts of the mutations and wrong builds: each case is in exactly one."""

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from wallet_lab.testing.parts import PART, PARTS, is_in_part, part_of_commit

NAMES = [f"case-{number}" for number in range(300)]


def test_each_case_is_in_exactly_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts share no case, contain all cases together, and have similar sizes."""
    parts = []
    for part in range(PARTS):
        monkeypatch.setenv(PART, str(part))
        parts.append([name for name in NAMES if is_in_part(name)])
    assert sorted(chain.from_iterable(parts)) == sorted(NAMES)
    assert all(70 < len(part) < 130 for part in parts)


def test_test_run_without_a_part_takes_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no part is set, as when pytest runs by itself, every case runs."""
    monkeypatch.delenv(PART, raising=False)
    assert all(is_in_part(name) for name in NAMES)


def test_commits_choose_all_parts(tmp_path: Path) -> None:
    """Each commit chooses one part, always the same one, and some commits choose the others."""
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run((*git, "init", "-q", tmp_path), check=True)
    chosen = set()
    for number in range(20):
        message = f"commit {number}"
        subprocess.run((*git, "commit", "-q", "--allow-empty", "-m", message), cwd=tmp_path, check=True)
        part = part_of_commit(tmp_path)
        assert part_of_commit(tmp_path) == part
        chosen.add(part)
    assert chosen == set(range(PARTS))


@pytest.mark.parametrize(("every", "parts"), [(False, ["0", "1", "2"]), (True, [""])], ids=["part", "all"])
def test_checks_take_the_part_of_the_commit(*, every: bool, parts: list[str]) -> None:
    """The checks run with the commit's part and print it; with `--all` they run without a part."""
    program = f"""
from wallet_lab import checks
checks.RULES = [checks.Check("part", ("sh", "-c", "echo part=${PART}"))]
checks.tests = lambda fast: []
checks.run_all(fast=True, every={every})
"""
    env = {name: value for name, value in os.environ.items() if name != PART}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert any(f"part={part}\n" in printed for part in parts), printed
    assert ("--all runs all parts" in printed) is not every


def test_folder_outside_a_repository_takes_the_first_part(tmp_path: Path) -> None:
    """Without a commit, the part is 0."""
    assert part_of_commit(tmp_path) == 0
