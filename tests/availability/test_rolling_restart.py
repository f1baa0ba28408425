"""A rolling restart: replicas stop one after the other, and no request of a well-behaved client fails."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence

import pytest

from tests.availability.conftest import opened
from tests.blackbox.clients import Usage, use_wallets
from tests.blackbox.stack import REPLICATED, Stack, of_kind

CLIENTS = 40
READY_WITHIN_S = 60.0
pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(params=sorted(REPLICATED))
def replicated(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Starts a stack with two replicas of every service that can have them."""
    from tests.blackbox.lab_stack import docker_stack, lab_stack  # noqa: PLC0415 -- --base-url works without the lab

    replicas = dict.fromkeys(REPLICATED[request.param], 2)
    with (
        docker_stack(request.param, scale=replicas)
        if request.config.getoption("--on") == "docker"
        else lab_stack(request.param, replicas=replicas)
    ) as started:
        yield started


async def roll(stack: Stack) -> None:
    """Restarts the first replica of every replicated service, then the second one, as a deployment does."""
    kinds = [of_kind(stack, kind) for kind in REPLICATED[stack.architecture]]
    await asyncio.sleep(1)
    for replicas in zip(*kinds, strict=True):
        for part in replicas:
            stack.kill(part.name, signal.SIGTERM)
        await asyncio.to_thread(stack.wait_ready, READY_WITHIN_S)
        await asyncio.sleep(1)


async def used_while_rolled(stack: Stack, accounts: Sequence[str]) -> Usage:
    """The answers that clients got during a rolling restart."""
    usage, stop = Usage(), asyncio.Event()
    clients = [
        asyncio.create_task(use_wallets(stack.base_url, accounts, number, usage, stop))
        for number in range(CLIENTS)
    ]
    try:
        await roll(stack)
    finally:
        stop.set()
        await asyncio.gather(*clients)
    return usage


def test_rolling_restart_fails_no_request(replicated: Stack) -> None:
    """If each replica in turn gets SIGTERM under load, every request on a kept connection gets its answer."""
    usage = asyncio.run(used_while_rolled(replicated, opened(replicated.base_url, CLIENTS)))
    assert usage.failed == {}
    assert sum(usage.served.values()) > 10 * CLIENTS, usage
    assert replicated.audit() == []
