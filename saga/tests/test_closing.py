"""Closing a wallet: money whose transfer is decided keeps no wallet open, whichever orchestrator knows of it."""

from collections.abc import AsyncIterator

import pytest
from saga_support.scene import TEN, Scene, opened_scene

from wallet_kernel.refusals import Refusal
from wallet_lab.testing import RunningStack
from wallet_saga.protocol import Done, Refused

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def scene(two_shards: RunningStack) -> AsyncIterator[Scene]:
    """A fresh pair of wallets; the payer pays all that it has."""
    async with opened_scene(two_shards) as scene:
        scene.amount_micros = 10 * TEN
        yield scene


async def test_an_acknowledged_transfer_does_not_keep_its_payer_open(scene: Scene) -> None:
    """If an orchestrator acknowledges and dies before Complete, another one closes the payer without waiting."""
    assert await scene.send(scene.debit()) == Done()
    assert await scene.send(scene.credit()) == Done()
    closed = await scene.api.delete(f"/wallets/{scene.payer}")
    assert (closed.status_code, closed.json().get("status")) == (200, "closed")
    assert await scene.state() == "completed"
    assert await scene.balances() == (0, 100)


async def test_an_undecided_transfer_is_decided_before_its_payer_is_closed(scene: Scene) -> None:
    """Closing drives a transfer whose orchestrator died after the debit; money that arrives keeps no wallet open."""
    assert await scene.send(scene.debit()) == Done()
    closed = await scene.api.delete(f"/wallets/{scene.payer}")
    assert (closed.status_code, closed.json().get("status")) == (200, "closed")
    assert await scene.balances() == (0, 100)


async def test_a_refund_finds_its_payer_open(scene: Scene) -> None:
    """If the credit is refused, the money comes back, and the wallet is not empty."""
    await scene.freeze(scene.payee)
    assert await scene.send(scene.debit()) == Done()
    assert await scene.send(scene.credit()) == Refused(Refusal.WALLET_FROZEN)
    refused = await scene.api.delete(f"/wallets/{scene.payer}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wallet-not-empty")
    assert await scene.state() == "refunded"
    assert await scene.balances() == (100, 0)
