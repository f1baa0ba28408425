"""CompleteTransfer waits for a batch with other commands, behind which no later command of its shard is decided."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from saga_support.scene import TEN, Scene, opened_scene

from wallet_kernel.attempt import Attempt
from wallet_kernel.batcher import PAUSE_MAX_S
from wallet_kernel.ids import new_transaction_id
from wallet_lab.testing import RunningStack
from wallet_saga.domain.commands import CloseWallet, Flush, WalletState
from wallet_saga.domain.saga import Saga, State
from wallet_saga.orchestrator.coordinator import Coordinator, Drive

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def scene(two_shards: RunningStack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A transfer of the payer's whole balance that is decided. Its CompleteTransfer waits for an hour."""
    monkeypatch.setattr("wallet_kernel.batcher.LATER_S", 3600)
    async with opened_scene(two_shards) as scene:
        saga = Saga(scene.transaction_id, scene.payer, scene.payee, 10 * TEN, "USD")
        decided = await Coordinator(scene.shards).decide(Drive(saga, Attempt()))
        assert decided.state is State.CREDITED
        yield scene


def batches(scene: Scene, account: str) -> float:
    """Returns the number of batches that this test's clients have sent to the shard of this wallet."""
    name = scene.shards.of_account(account).name
    return REGISTRY.get_sample_value("wallet_batch_size_count", {"batcher": name}) or 0.0


async def test_completion_shares_the_next_batch(scene: Scene) -> None:
    """A completion has no batch of its own; it is decided in the batch of the next command."""
    assert await scene.state() == "debited"
    before = batches(scene, scene.payer)
    await scene.shards.of_account(scene.payer).submit(Flush())
    assert await scene.state() == "completed"
    assert batches(scene, scene.payer) == before + 1


async def test_transfers_one_after_the_other_cost_two_batches_each(scene: Scene) -> None:
    """A lone client's transfer costs one batch at each shard, because its completion goes with the next debit."""
    before = batches(scene, scene.payer), batches(scene, scene.payee)
    coordinator = Coordinator(scene.shards)
    for _ in range(5):
        saga = Saga(new_transaction_id(scene.payee), scene.payee, scene.payer, 1, "USD")
        assert (await coordinator.decide(Drive(saga, Attempt()))).state is State.CREDITED
        await asyncio.sleep(0.01)  # until the client's next request
    assert (batches(scene, scene.payer), batches(scene, scene.payee)) == (before[0] + 5, before[1] + 5)


async def test_orchestrator_pauses_after_a_batch(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The orchestrator's client of a shard pauses after a batch, with the limit for items that clients wait for."""
    pauses = list[tuple[int, float]]()

    def record(items: int, max_s: float) -> float:
        pauses.append((items, max_s))
        return 0.0

    monkeypatch.setattr("wallet_kernel.batcher.pause_after", record)
    shard = scene.shards.of_account(scene.payee)
    await shard.submit(Flush())
    await shard.drain()
    assert pauses == [(1, PAUSE_MAX_S)]


async def test_waiting_completion_does_not_keep_a_wallet_open(scene: Scene) -> None:
    """A close request of the same orchestrator is decided behind the completion, so no money is in flight."""
    closed = await scene.shards.of_account(scene.payer).submit(CloseWallet(scene.payer))
    assert isinstance(closed, WalletState)
    assert closed.status == "closed"


async def test_another_orchestrator_closes_the_wallet_before_the_completion_is_sent(scene: Scene) -> None:
    """An orchestrator decides and completes the transfer itself if the completion waits in another one."""
    closed = await scene.api.delete(f"/wallets/{scene.payer}")
    assert (closed.status_code, closed.json().get("status")) == (200, "closed")
    assert await scene.state() == "completed"


async def test_waiting_completion_is_sent_when_the_orchestrator_stops(scene: Scene) -> None:
    """A stopping orchestrator sends its waiting completions, so recovery has nothing to do."""
    await scene.shards.of_account(scene.payer).drain()
    assert await scene.state() == "completed"


async def test_look_up_of_an_acknowledged_transfer_does_not_wait_for_the_completion(scene: Scene) -> None:
    """While the completion waits, a lookup returns success, because the credit barrier has the credit."""
    assert (await scene.document())["status"] == "success"
    assert await scene.state() == "debited"
