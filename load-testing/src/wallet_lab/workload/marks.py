"""Records the background work of the databases during a long load: checkpoints and vacuums."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import asyncpg

from wallet_lab.report.model import Mark
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload.sampler import kind_of

SAMPLE_EVERY_S = 2.0
PATIENCE_S = 1.0
"""A database that does not answer within this time is sampled the next time."""
_COUNTS = """
SELECT (SELECT num_done FROM pg_stat_checkpointer),
       (SELECT coalesce(sum(autovacuum_count + vacuum_count), 0)::bigint FROM pg_stat_user_tables)
"""
_WHAT = ("checkpoint", "vacuum")
_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters of a database at a moment, in seconds since the load's start."""

    at_s: float
    component: str
    counts: tuple[int, int]
    """Ended checkpoints and vacuums."""


def marks(samples: Sequence[Sample]) -> list[Mark]:
    """Return a mark for each moment at which a database had counted more than before. Pure."""
    found = []
    for component in dict.fromkeys(sample.component for sample in samples):
        own = [sample for sample in samples if sample.component == component]
        for before, after in pairwise(own):
            changes = zip(_WHAT, before.counts, after.counts, strict=True)
            found += [Mark(at_s=after.at_s, what=f"{what} of {component}") for what, a, b in changes if b > a]
    return sorted(found, key=lambda mark: mark.at_s)


@dataclass(slots=True)
class Marks:
    """The marks of a load, complete when the block of `marking` has ended."""

    samples: list[Sample] = field(default_factory=list)

    def found(self) -> list[Mark]:
        """Return the marks."""
        return marks(self.samples)


@contextlib.contextmanager
def marking(stack: RunningStack) -> Iterator[Marks]:
    """Sample the databases of a stack until the block ends."""
    seen, stop = Marks(), threading.Event()
    urls = {name: stack.client_url(name) for name in stack.urls if kind_of(name).startswith("postgres")}
    began_s = time.monotonic()

    def watch() -> None:
        while not stop.is_set():
            for name, url in urls.items():
                with contextlib.suppress(*_AWAY):
                    counts = asyncio.run(_counts(url))
                    seen.samples.append(Sample(time.monotonic() - began_s, name, counts))
            stop.wait(SAMPLE_EVERY_S)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


async def _counts(url: str) -> tuple[int, int]:
    async with asyncio.timeout(PATIENCE_S):
        connection = await asyncpg.connect(url)
        try:
            checkpoints, vacuums = await connection.fetchrow(_COUNTS)
            return checkpoints, vacuums
        finally:
            connection.terminate()
