"""A new architecture is one folder and one line in the registry, and the lab works with it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_lab.stack.files.home import checkout
from wallet_lab.stack.files.temporary_home import temporary_home

pytestmark = pytest.mark.slow

FOLDERS = ("toy", "toy_bank")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the lab with both toy architectures; returns its sources."""
    copy = tmp_path_factory.mktemp("checkout") / "load-testing"
    skipped = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(checkout() / "load-testing", copy, ignore=skipped)
    architectures = copy / "src/wallet_lab/architectures"
    for folder in FOLDERS:
        shutil.copytree(Path(__file__).parent / folder, architectures / folder, ignore=skipped)
    registry = architectures / "__init__.py"
    before, after = registry.read_text().split("NAMES = (\n")
    registry.write_text(f'{before}NAMES = (\n    "toy",\n    "toy-bank",\n{after}')
    return copy / "src"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of its own, because the usual one may belong to a stack of the user."""
    with temporary_home(None) as place:
        yield place


def run(lab: Path, home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the copied lab."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "wallet_lab", *arguments],
        env={**os.environ, "PYTHONPATH": os.fspath(lab), "WALLET_LAB_HOME": os.fspath(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_toy_architecture_is_measured_and_audited(lab: Path, home: Path, tmp_path: Path) -> None:
    """`./lab bench` starts the toy, seeds its wallets, loads it, and passes its audit and the reconciliation."""
    out = tmp_path / "out.json"
    options = ("--scenario", "hot-pair", "--duration", "2", "--out", os.fspath(out))
    finished = run(lab, home, "bench", "toy", *options)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (measured,) = json.loads(out.read_text())["runs"]
    assert measured["acked_per_s"] > 0
    assert {"money is conserved", "every acknowledged transfer is in the books once"} <= {
        each["name"] for each in measured["audit"]["checks"]
    }


def test_fault_is_injected_into_the_toy_bank(lab: Path, home: Path) -> None:
    """`./lab chaos` kills the service under load; the audit passes, and no acknowledged transfer is lost."""
    # The load of a fault uses the whole contract, and the toy itself only transfers.
    options = ("--fault", "kill-service", "--rate", "50", "--json")
    finished = run(lab, home, "chaos", "toy-bank", *options)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = json.loads(finished.stdout)
    assert (found["verdict"], found["lost"], len(found["injections"])) == ("passed", 0, 1)


def test_toy_stack_starts_and_stops(lab: Path, home: Path) -> None:
    """`./lab up`, `status`, `audit` and `down` work with the toy."""
    try:
        started = run(lab, home, "up", "toy", "--shards", "1")
        assert started.returncode == 0, started.stdout + started.stderr
        assert "wallet-0" in run(lab, home, "status", "toy").stdout
        audited = run(lab, home, "audit", "toy")
        assert audited.returncode == 0, audited.stdout + audited.stderr
    finally:
        assert run(lab, home, "down", "toy").returncode == 0
