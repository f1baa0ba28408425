"""Faults on real stacks: calls that need the broken component are counted apart, and the books are right."""

from collections.abc import Iterator

import pytest

from wallet_lab.nemesis.faults import find
from wallet_lab.nemesis.run import run_faults
from wallet_lab.report.model import FaultRun
from wallet_lab.testing import RunningStack, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]

TIMES = 3


@pytest.fixture(scope="module")
def saga() -> Iterator[RunningStack]:
    """A saga of two shards."""
    with running_stack("saga") as running:
        yield running


@pytest.fixture(scope="module")
def cqrs() -> Iterator[RunningStack]:
    """A cqrs of two read shards."""
    with running_stack("cqrs") as running:
        yield running


def broken(stack: RunningStack, fault: str) -> FaultRun:
    """Return a fault that was injected three times and whose audit passed."""
    found = run_faults(stack, find(stack.adapter, fault), injections=TIMES)
    assert found.verdict == "passed", found.why
    assert found.lost == 0
    assert len(found.injections) == TIMES
    assert found.outcomes.success > 0
    assert all(each.bound_calls > 20 for each in found.injections)
    # On a machine with much other work, an injection may have no effect that exceeds the usual delays.
    assert any(
        each.bound_affected_share and each.outage_s and each.first_success_s for each in found.injections
    )
    return found


def test_killed_worker_fails_no_transfer_between_wallets_of_the_other_shard(saga: RunningStack) -> None:
    """If the worker of shard 0 is killed, transfers within shard 1 succeed, and no read is ever stale."""
    for each in broken(saga, "kill-worker").injections:
        assert each.other_calls > 0
        assert each.other_failed_share == 0
        assert each.stale_ms_max == 0


def test_killed_query_service_fails_no_transfer(cqrs: RunningStack) -> None:
    """If the query service is killed, reads fail or wait, and every transfer succeeds."""
    assert {each.other_failed_share for each in broken(cqrs, "kill-query").injections} == {0}


def test_killed_projection_fails_no_other_call(cqrs: RunningStack) -> None:
    """If the projection is killed, transfers and plain reads succeed."""
    assert {each.other_failed_share for each in broken(cqrs, "kill-projection").injections} == {0}


def test_paused_projection_makes_reads_stale_and_fails_no_other_call(cqrs: RunningStack) -> None:
    """If the projection is paused, transfers and plain reads succeed, but plain reads are stale until it continues."""
    found = broken(cqrs, "pause-projection").injections
    assert {each.other_failed_share for each in found} == {0}
    # A killed projection is back after half a second: too short for a certain stale read. A paused one stops for three.
    assert any((each.stale_ms_max or 0) > 100 and each.converged_s for each in found)
