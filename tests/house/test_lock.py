"""requirements.lock: complete, hashed, and tied to no index."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest

LOCK = (Path(__file__).resolve().parents[2] / "requirements.lock").read_text()
PINNED = {match.lower() for match in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==", LOCK, re.MULTILINE)}
MEMBERS = ("wallet-kernel", "wallet-saga", "wallet-cqrs", "wallet-lab")


def test_it_names_no_address() -> None:
    """Every machine installs from the index it is set up with."""
    assert not re.search(r"://|^-|@ ", LOCK, re.MULTILINE)


def test_every_version_has_a_hash() -> None:
    """What is installed is, to the byte, what was locked."""
    requirements = re.split(r"\n(?=[a-z])", LOCK)[1:]
    assert not [text.splitlines()[0] for text in requirements if "--hash=sha256:" not in text]


@pytest.mark.parametrize("member", MEMBERS)
def test_every_dependency_of_a_member_is_locked(member: str) -> None:
    """A dependency added to a pyproject.toml but not to the lock would be missing on a fresh machine."""
    names = {re.split(r"[\[<>=!~ ;]", text)[0].lower() for text in requires(member) or []}
    assert names - PINNED - set(MEMBERS) == set()
