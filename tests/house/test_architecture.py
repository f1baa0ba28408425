"""The import rules of pyproject.toml work: a planted violation of each rule breaks that rule."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "kernel/src",
    "monitoring/src",
    "saga/src",
    "event-driven-cqrs/src",
    "baselines/src",
    "load-testing/src",
)

# One violation per contract: the file to change, the line to add, and the contract that must break.
PLANTED = [
    ("kernel/src/wallet_kernel/__init__.py", "import wallet_saga", "The kernel imports no other member"),
    ("saga/src/wallet_saga/__init__.py", "import wallet_cqrs", "Architectures and lab import none"),
    ("load-testing/src/wallet_lab/cli.py", "import wallet_saga", "Architectures and lab import none"),
    (
        "monitoring/src/wallet_monitoring/exporters/containers.py",
        "import wallet_kernel",
        "Monitoring imports no other member",
    ),
    (
        "saga/src/wallet_saga/__init__.py",
        "import wallet_monitoring",
        "Architectures do not import monitoring",
    ),
    (
        "saga/src/wallet_saga/orchestrator/shard_client.py",
        "import wallet_saga.worker.store",
        "Orchestrator and worker share",
    ),
    (
        "saga/src/wallet_saga/orchestrator/shard_client.py",
        "import wallet_saga.orchestrator.routes",
        "Orchestrator: main",
    ),
    (
        "saga/src/wallet_saga/domain/decisions.py",
        "import wallet_saga.worker.store",
        "Orchestrator and worker share",
    ),
    ("saga/src/wallet_saga/worker/store.py", "import wallet_saga.worker.routes", "Worker: main"),
    ("saga/src/wallet_saga/domain/decisions.py", "import asyncpg", "The domain does no I/O"),
    ("saga/src/wallet_saga/domain/saga.py", "import aiohttp", "The domain does no I/O"),
    ("saga/src/wallet_saga/domain/wallet.py", "import wallet_saga.domain.decisions", "Domain: saga"),
    (
        "event-driven-cqrs/src/wallet_cqrs/projection/store.py",
        "import wallet_cqrs.projection.projector",
        "Projection: main",
    ),
    (
        "event-driven-cqrs/src/wallet_cqrs/query/position_waiter.py",
        "import wallet_cqrs.query.history",
        "Query: main",
    ),
    (
        "event-driven-cqrs/src/wallet_cqrs/projection/event_batches.py",
        "import asyncpg",
        "The decider, its events",
    ),
    (
        "baselines/src/wallet_baselines/store.py",
        "import wallet_baselines.routes",
        "Baselines: main",
    ),
    ("baselines/src/wallet_baselines/batch.py", "import asyncpg", "The baselines' decisions"),
    ("load-testing/src/wallet_lab/report/model.py", "import wallet_lab.workload.run", "Lab: comparison"),
    (
        "load-testing/src/wallet_lab/stack/servers/postgres.py",
        "import wallet_lab.architectures.saga.topology",
        "Lab: running stack",
    ),
    ("load-testing/src/wallet_lab/comparison/plan.py", "import psutil", "The lab's plans and conclusions"),
]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Copy all sources and the rules."""
    for source in SOURCES:
        shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(workspace: Path) -> "subprocess.CompletedProcess[str]":
    """Check the rules on the copy. PYTHONPATH puts the copy before the installed members."""
    sources = os.pathsep.join(str(workspace / source) for source in SOURCES)
    env = {**os.environ, "PYTHONPATH": sources, "COLUMNS": "200"}  # keeps long names on one line
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=workspace, env=env, capture_output=True, text=True, check=False)


def test_unchanged_copy_keeps_every_rule(workspace: Path) -> None:
    """Without a violation, the rules hold on the copy."""
    finished = lint(workspace)
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED)
def test_a_planted_violation_breaks_its_contract(
    workspace: Path, file: str, line: str, contract: str
) -> None:
    """A forbidden import breaks exactly its own contract."""
    with (workspace / file).open("a") as source:
        source.write(f"\n{line}\n")
    finished = lint(workspace)
    assert finished.returncode == 1
    broken = [text for text in finished.stdout.splitlines() if text.endswith("BROKEN")]
    assert any(text.startswith(contract) for text in broken), finished.stdout
