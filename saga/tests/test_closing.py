"""Closing a wallet: money in flight of a decided transfer does not keep the payer's wallet open."""

from collections.abc import AsyncIterator

import pytest
from saga_support.scene import TEN, Scene, opened_scene

from wallet_kernel.refusals import Refusal
from wallet_lab.testing import RunningStack
from wallet_saga.domain.commands import Done, Refused

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def scene(two_shards: RunningStack) -> AsyncIterator[Scene]:
    """A fresh pair of wallets. The payer's transfer takes its whole balance."""
    async with opened_scene(two_shards) as scene:
        scene.amount_micros = 10 * TEN
        yield scene


async def test_payer_of_an_acknowledged_transfer_can_be_closed(scene: Scene) -> None:
    """If an orchestrator dies before it sends CompleteTransfer, another one can close the payer immediately."""
    assert await scene.send(scene.debit()) == Done()
    assert await scene.send(scene.credit()) == Done()
    closed = await scene.api.delete(f"/wallets/{scene.payer}")
    assert (closed.status_code, closed.json().get("status")) == (200, "closed")
    assert await scene.state() == "completed"
    assert await scene.balances() == (0, 100)


async def test_close_decides_an_open_transfer_first(scene: Scene) -> None:
    """If an orchestrator dies after the debit, a close request drives the transfer to its end and closes the payer."""
    assert await scene.send(scene.debit()) == Done()
    closed = await scene.api.delete(f"/wallets/{scene.payer}")
    assert (closed.status_code, closed.json().get("status")) == (200, "closed")
    assert await scene.balances() == (0, 100)


async def test_close_refunds_a_refused_transfer_and_is_refused(scene: Scene) -> None:
    """If the credit is refused, a close request refunds the payer and gets wallet-not-empty."""
    await scene.freeze(scene.payee)
    assert await scene.send(scene.debit()) == Done()
    assert await scene.send(scene.credit()) == Refused(Refusal.WALLET_FROZEN)
    refused = await scene.api.delete(f"/wallets/{scene.payer}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wallet-not-empty")
    assert await scene.state() == "refunded"
    assert await scene.balances() == (100, 0)
