"""The metrics of every service: its event loop and its pools."""

import asyncio
import time
from dataclasses import dataclass

import pytest
from prometheus_client import REGISTRY

from wallet_kernel.runtime.metrics import loop_lag_watched, transfers, watch_pool

pytestmark = pytest.mark.anyio


def metric(name: str, **labels: str) -> float:
    """Returns the value of this process's metric with that name, or 0 without one."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_metric_shows_a_blocked_event_loop() -> None:
    """Work that blocks the event loop makes its lag about as long."""
    before_s = metric("wallet_event_loop_lag_seconds_sum")
    async with loop_lag_watched():
        await asyncio.sleep(0)
        time.sleep(0.4)  # noqa: ASYNC251 -- the test measures blocking
        await asyncio.sleep(0.15)
    assert metric("wallet_event_loop_lag_seconds_sum") - before_s > 0.2


async def test_an_idle_event_loop_is_on_time() -> None:
    """The measurement itself adds no significant lag."""
    before_s, count = (metric(f"wallet_event_loop_lag_seconds_{what}") for what in ("sum", "count"))
    async with loop_lag_watched():
        longest_s = await longest_lag_s(0.35)
    measured = metric("wallet_event_loop_lag_seconds_count") - count
    assert measured >= 1
    assert (metric("wallet_event_loop_lag_seconds_sum") - before_s) / measured < longest_s + 0.05


async def longest_lag_s(duration_s: float) -> float:
    """The longest delay of the event loop in this time, which other processes may cause."""
    longest_s, end = 0.0, time.monotonic() + duration_s
    while (begin := time.monotonic()) < end:
        await asyncio.sleep(0.01)
        longest_s = max(longest_s, time.monotonic() - begin - 0.01)
    return longest_s


def test_transfers_are_counted_by_outcome() -> None:
    """Each outcome has one cached counter, so that a transfer does not look up its label."""
    before = metric("wallet_transfers_total", outcome="as-tested")
    transfers("as-tested").inc()
    assert metric("wallet_transfers_total", outcome="as-tested") == before + 1
    assert transfers("as-tested") is transfers("as-tested")


@dataclass
class FakePool:
    """A pool with fixed numbers."""

    open: int
    idle: int

    def get_size(self) -> int:
        return self.open

    def get_idle_size(self) -> int:
        return self.idle

    def get_max_size(self) -> int:
        return 4


def test_pool_exports_its_connections_in_use() -> None:
    """The connections in use are the open ones minus the idle ones, at the time of each scrape."""
    pool = FakePool(open=3, idle=1)
    watch_pool("tested", pool)
    assert metric("wallet_pool_in_use", pool="tested") == 2
    pool.idle = 3
    assert metric("wallet_pool_in_use", pool="tested") == 0
    assert metric("wallet_pool_max", pool="tested") == 4
