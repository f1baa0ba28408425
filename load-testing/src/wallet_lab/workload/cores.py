"""Gives k6 cores of its own, if the machine has enough, so that clients and servers do not compete."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

CORES_FOR_A_SPLIT = 4
"""With fewer cores, k6 or the servers would lack the second core that both need."""

_client_cores: ContextVar[frozenset[int]] = ContextVar("cores of k6", default=frozenset())


def split(cores: Iterable[int]) -> tuple[frozenset[int], frozenset[int]]:
    """Return the cores of the servers and those of k6: a third of all, at least 2. Without enough, k6 has none."""
    known = sorted(cores)
    if len(known) < CORES_FOR_A_SPLIT:
        return frozenset(known), frozenset()
    first = len(known) - max(2, len(known) // 3)
    return frozenset(known[:first]), frozenset(known[first:])


@contextlib.contextmanager
def separate_cores() -> Iterator[int]:
    """Inside, this thread and the processes that it starts get the servers' cores, and k6 the others.

    Yields the number of cores that k6 has alone; 0 if it shares all.
    """
    all_cores = os.sched_getaffinity(0)
    servers, clients = split(all_cores)
    token = _client_cores.set(clients)
    os.sched_setaffinity(0, servers)
    try:
        yield len(clients)
    finally:
        os.sched_setaffinity(0, all_cores)
        _client_cores.reset(token)


@contextlib.contextmanager
def on_client_cores() -> Iterator[None]:
    """Inside, a process that this thread starts gets the cores of k6."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _client_cores.get() or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
