"""Backoff: exponential, bounded, with full jitter."""

import random

import pytest

from wallet_kernel.backoff import Backoff

pytestmark = pytest.mark.anyio


async def test_pauses_double_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause is a random part of a limit that doubles up to its maximum and begins again after a success."""
    limits: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        limits.append((low, high))
        return 0.0

    monkeypatch.setattr(random, "uniform", uniform)
    backoff = Backoff(0.1, 0.5)
    for _ in range(5):
        await backoff.pause()
    backoff.reset()
    await backoff.pause()
    assert limits == [(0, 0.1), (0, 0.2), (0, 0.4), (0, 0.5), (0, 0.5), (0, 0.1)]
