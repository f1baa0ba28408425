"""Shared fixtures. The lab's tests run its real supervisor and real databases; only the wallet's services are fakes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from wallet_lab.stack.files.temporary_home import temporary_home
from wallet_lab.testing import PostgresServer, RunningStack, running_postgres, running_stack

FAKES = Path(__file__).parent / "fakes"

# A shell starts its background jobs with interrupts ignored, and children inherit that. The tests of Ctrl-C would then
# wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fakes_env() -> dict[str, dict[str, str]]:
    """Replace every service with a fake."""
    return {"*": {"PYTHONPATH": str(FAKES)}}


@pytest.fixture(scope="session")
def hostile_folder() -> Iterator[Path]:
    """A folder whose name has characters with a special meaning in shells, patterns, URLs and configuration files."""
    with temporary_home(None) as place:
        folder = place / "it's 50% é a*[b] #;&"
        folder.mkdir(mode=0o755)
        yield folder


@pytest.fixture(scope="module")
def stack(fakes_env: dict[str, dict[str, str]]) -> Iterator[RunningStack]:
    """A stack of two shards, with fake services."""
    with running_stack("saga", extra_env=fakes_env, orchestrators=2) as running:
        yield running


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgresServer]:
    """One Postgres cluster."""
    with running_postgres() as server:
        yield server
