"""The homes of the stacks that `bench`, `chaos` and `compare` start for themselves."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_lab.stack.files.home import StackHome, take_lock
from wallet_lab.stack.files.temporary_home import temporary_home

KILLED = """
import os, signal, sys
from pathlib import Path
from wallet_lab.stack.files.home import StackHome, take_lock
from wallet_lab.stack.files.temporary_home import temporary_home
with temporary_home(None, below=Path(sys.argv[1])) as home:
    stack = StackHome(home, "saga")
    stack.prepare()
    lock = take_lock(stack)
    (stack.root / "data").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def lab() -> Iterator[Path]:
    """A lab's folder, which the databases' account can enter."""
    with temporary_home(None) as place:
        folder = place / "lab"
        folder.mkdir(mode=0o755)
        yield folder


@pytest.fixture
def leftover(lab: Path) -> Path:
    """The home of a process that was killed."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(lab)], check=False)
    assert ended.returncode == -signal.SIGKILL
    [home] = lab.iterdir()
    return home


def test_home_of_a_killed_process_is_removed_at_the_next_start(leftover: Path) -> None:
    """The next start removes the home of a killed process, with its data."""
    with temporary_home(None, below=leftover.parent) as home:
        assert list(leftover.parent.iterdir()) == [home]
    assert list(leftover.parent.iterdir()) == []


def test_home_of_a_stack_that_still_stops_is_kept(leftover: Path) -> None:
    """While a supervisor of the killed process still runs, its home stays."""
    asking = "import sys; from pathlib import Path; from wallet_lab.stack.files.temporary_home import temporary_home\n"
    asking += "with temporary_home(None, below=Path(sys.argv[1])): pass"
    with take_lock(StackHome(leftover, "saga")) or pytest.fail("the lock is taken"):
        subprocess.run([sys.executable, "-c", asking, str(leftover.parent)], check=True)
        assert leftover.exists()


def test_homes_in_use_and_folders_of_others_are_kept(tmp_path: Path) -> None:
    """A start removes neither the home of a running process nor a folder that the lab did not make."""
    foreign = tmp_path / "wallet-lab-notes"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    with temporary_home(None, below=tmp_path) as first, temporary_home(None, below=tmp_path) as second:
        assert sorted(tmp_path.iterdir()) == sorted([foreign, first, second])
    assert list(tmp_path.iterdir()) == [foreign]
