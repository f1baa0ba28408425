"""Killed, terminated and frozen processes under load: no acknowledged transfer is lost, none happens twice, all end."""

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
    """If each process of a kind is killed with SIGKILL under load, every transfer ends and every 201 is posted once."""
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
    """If all processes are killed with SIGKILL at the same time under load, no acknowledged transfer is lost."""

    async def disturb() -> None:
        await asyncio.sleep(1)
        await kill_and_recover(faults, [part.name for part in faults.components], signal.SIGKILL)
        await asyncio.sleep(0.3)

    survives(faults, accounts, disturb, seed=2)


def test_sigterm_under_load_loses_nothing(faults: Stack, accounts: Opened, drained_kind: str) -> None:
    """After SIGTERM under load, accepted requests finish, new connections are refused, and no transfer is lost."""
    drained = [part.name for part in of_kind(faults, drained_kind)]
    assert drained, f"the stack has no {drained_kind}"

    async def disturb() -> None:
        await asyncio.sleep(0.7)
        await kill_and_recover(faults, drained, signal.SIGTERM)
        await asyncio.sleep(0.3)

    survives(faults, accounts, disturb, seed=3)


def test_frozen_processes_continue_without_loss(faults: Stack, accounts: Opened, frozen_kind: str) -> None:
    """If a process is frozen beyond every timeout, no timeout is a refusal and late duplicates have no effect."""
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
