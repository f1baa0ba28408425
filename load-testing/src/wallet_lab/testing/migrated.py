"""Postgres clusters with the schema of an architecture.

A migration takes a second of CPU time. `tests/mutations` runs hundreds of test sessions, so it prepares each cluster
once and names their folder in the environment. The sessions then copy the prepared clusters.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from wallet_lab.testing.servers import PostgresServer, running_postgres

PREPARED = "WALLET_PREPARED_CLUSTERS"
"""The variable with the folder of the prepared clusters. If it is not set, every cluster is migrated."""


@contextlib.contextmanager
def migrated_postgres(module: str, *arguments: str, shards: int = 1) -> Iterator[PostgresServer]:
    """Run one cluster whose database `wallet` has the newest schema and no wallets, as shard 0 of so many.

    The cluster belongs to the caller alone, also if it is a copy of a prepared one.

    Raises:
        LabError: the migrations failed; the text ends with their output.
    """
    source = _prepared(module, arguments, shards)
    with running_postgres(copy_of=source) as server:
        if source is None:
            server.migrate(module, *arguments, shards=shards)
        yield server


def prepare(folder: Path, module: str, *arguments: str, shards: int = 1) -> None:
    """Put a cluster with these migrations into the folder. The databases' account must be able to enter it."""
    home = folder / _name(module, arguments, shards)
    home.mkdir()
    home.chmod(0o711)
    with running_postgres(home=home) as server:
        server.migrate(module, *arguments, shards=shards)


def _prepared(module: str, arguments: tuple[str, ...], shards: int) -> Path | None:
    folder = os.environ.get(PREPARED)
    home = Path(folder, _name(module, arguments, shards)) if folder else None
    return home if home and home.exists() else None


def _name(module: str, arguments: tuple[str, ...], shards: int) -> str:
    return "-".join((module, *arguments, str(shards)))
