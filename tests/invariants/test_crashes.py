"""kill -9 under load: nothing acknowledged is lost, nothing is done twice, every transfer ends."""

from __future__ import annotations

import asyncio
import signal
from decimal import Decimal

import pytest

from tests.blackbox.disturbance import kill_and_recover, survives
from tests.blackbox.stack import Stack, of_kind

Opened = dict[str, Decimal]
FROZEN_S = 3.0
pytestmark = pytest.mark.slow


def test_killing_a_component_loses_nothing(faults: Stack, accounts: Opened, victim_kind: str) -> None:
    """Kill -9 of all of one kind in turn, twice at least, under load: every transfer ends, every 201 is there once."""
    victims = of_kind(faults, victim_kind)
    assert victims, f"the stack has no {victim_kind}"

    async def disturb() -> None:
        await asyncio.sleep(0.4)
        for victim in victims if len(victims) > 1 else victims * 2:
            await asyncio.sleep(0.3)
            await kill_and_recover(faults, [victim.name], signal.SIGKILL)
        await asyncio.sleep(0.3)

    survives(faults, accounts, disturb, seed=1)


def test_killing_everything_loses_nothing(faults: Stack, accounts: Opened) -> None:
    """Kill -9 of all processes at once under load: after the restart nothing acknowledged is lost."""

    async def disturb() -> None:
        await asyncio.sleep(1)
        await kill_and_recover(faults, [part.name for part in faults.components], signal.SIGKILL)
        await asyncio.sleep(0.3)

    survives(faults, accounts, disturb, seed=2)


def test_stopping_politely_loses_nothing(faults: Stack, accounts: Opened, drained_kind: str) -> None:
    """SIGTERM under load: what was accepted finishes, new connections are refused, nothing is lost."""
    drained = [part.name for part in of_kind(faults, drained_kind)]
    assert drained, f"the stack has no {drained_kind}"

    async def disturb() -> None:
        await asyncio.sleep(0.7)
        await kill_and_recover(faults, drained, signal.SIGTERM)
        await asyncio.sleep(0.3)

    survives(faults, accounts, disturb, seed=3)


def test_frozen_processes_thaw_without_loss(faults: Stack, accounts: Opened, frozen_kind: str) -> None:
    """A kind of process stopped for longer than anybody waits: no timeout is a refusal, no late duplicate counts."""
    frozen = [part.name for part in of_kind(faults, frozen_kind)]
    assert frozen, f"the stack has no {frozen_kind}"

    async def disturb() -> None:
        await asyncio.sleep(0.5)
        for name in frozen:
            faults.kill(name, signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_S)
        finally:
            for name in frozen:
                faults.kill(name, signal.SIGCONT)
        await asyncio.sleep(0.5)

    survives(faults, accounts, disturb, seed=4)
