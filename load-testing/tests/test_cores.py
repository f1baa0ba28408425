"""The cores of k6 and of the servers."""

import os
import subprocess
import sys

import pytest

from wallet_lab.workload import cores
from wallet_lab.workload.cores import on_client_cores, separate_cores, split


@pytest.mark.parametrize(
    ("known", "servers", "clients"),
    [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 2, 2), (8, 6, 2), (12, 8, 4)],
)
def test_cores_are_split_if_there_are_enough(known: int, servers: int, clients: int) -> None:
    """From 4 cores on, k6 gets a third, at least 2, and the servers the others; with fewer they share all."""
    first, second = split(range(known))
    assert (len(first), len(second)) == (servers, clients)
    assert first | second == set(range(known))
    assert not first & second


def affinity() -> set[int]:
    """Return the cores of a new process."""
    code = "import os; print(*os.sched_getaffinity(0))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(map(int, said.split()))


def test_new_processes_get_their_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers start on their cores and k6 on its own; afterwards everything may use all cores again."""
    own = os.sched_getaffinity(0)
    first, *others = sorted(own)
    if not others:
        pytest.skip("there is only one core")
    monkeypatch.setattr(cores, "split", lambda _cores: (frozenset({first}), frozenset(others)))
    with separate_cores() as number:
        assert number == len(others)
        assert affinity() == {first}
        with on_client_cores():
            assert affinity() == set(others)
        assert affinity() == {first}
    assert affinity() == own
