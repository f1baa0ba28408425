"""Recovery by several orchestrators: one that cannot reach a payee's shard leaves the sagas to the others."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from saga_support.scene import Scene, opened_scene

from wallet_kernel.topology import Placement, Topology
from wallet_lab.testing import RunningStack
from wallet_saga.orchestrator.coordinator import Coordinator
from wallet_saga.orchestrator.recovery import Recovery
from wallet_saga.orchestrator.shard_client import ShardClient, Shards, open_session

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

INTERVAL_S = 1.0
LEASE_S = 0.5
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
async def scene(two_shards: RunningStack) -> AsyncIterator[Scene]:
    """A fresh pair of wallets."""
    async with opened_scene(two_shards) as scene:
        yield scene


async def has_expired_for(database: asyncpg.Connection, scene: Scene, seconds: float) -> bool:
    """Returns whether the saga's lease expired that long ago and no orchestrator has claimed it since."""
    found: bool = await database.fetchval(
        "SELECT lease_until < now() - make_interval(secs => $2) FROM transfers WHERE transfer_id = $1",
        scene.transaction_id,
        seconds,
    )
    return found


async def test_orchestrator_leaves_sagas_of_an_unreachable_shard_to_the_others(
    two_shards: RunningStack, scene: Scene
) -> None:
    """After a saga that it could not end, an orchestrator leaves expired leases to others for two intervals."""
    await scene.send(scene.debit())
    database = await asyncpg.connect(two_shards.database_urls[0])
    async with open_session(two_shards.credentials.service_secret) as session:
        cut_off = ShardClient(
            "worker-1", session, NOWHERE, Placement.even(1, 2), timeout_s=2.0, batch_max=100, queue_max=1000
        )
        shards = Shards(Topology.even(2), [scene.shards.clients[0], cut_off])
        recovery = Recovery(shards, Coordinator(shards), INTERVAL_S, LEASE_S)
        async with recovery.running():
            with two_shards.paused("orchestrator-0"):
                await database.execute("UPDATE transfers SET lease_until = now() WHERE state = 'debited'")
                end_s = asyncio.get_running_loop().time() + 10 * INTERVAL_S
                while not await has_expired_for(database, scene, 1.4 * INTERVAL_S):
                    assert asyncio.get_running_loop().time() < end_s, "It claimed the saga again immediately."
                    await asyncio.sleep(0.05)
            assert await scene.ended() == "completed"
    await database.close()
