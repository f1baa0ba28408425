"""Health routes stay cheap under many requests."""

import asyncio

import pytest

from wallet_kernel.runtime.health import Pace

pytestmark = pytest.mark.anyio


async def seconds_of_turns(pace: Pace, count: int) -> float:
    """Returns the seconds that this many simultaneous calls take."""
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*(pace.turn() for _ in range(count)))
    return asyncio.get_running_loop().time() - begun


async def test_readiness_requests_are_delayed_when_there_are_many() -> None:
    """Readiness requests without a pause are delayed, so that they cannot use up the event loop's time."""
    assert await seconds_of_turns(Pace(per_s=100, delay_max_s=20), 21) >= 0.19


async def test_pace_delays_no_call_longer_than_its_bound() -> None:
    """Even under many requests, a health check does not time out."""
    pace = Pace(per_s=1, delay_max_s=0.05)
    assert await seconds_of_turns(pace, 1000) < 20
