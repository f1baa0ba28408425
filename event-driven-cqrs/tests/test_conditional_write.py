"""The statement that writes a batch: it compares the projection's memory with the rows, and it is the only one."""

import asyncio
from uuid import UUID

import asyncpg
import pytest
from cqrs_support.histories import append, batches, random_log, wallet_rows
from cqrs_support.projecting import ALICE, PARTITIONS, Bench, alices_log, bench, one_by_one
from cqrs_support.replicas import query

from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import EventBatch
from wallet_cqrs.projection import statements
from wallet_cqrs.projection.store import Outdated
from wallet_cqrs.read_model import Checkpoint, Fold
from wallet_cqrs.rebuild.models import TwinModels
from wallet_lab.testing import DatabaseUrls, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DIFFERENCES = {
    "position": "UPDATE read_model.checkpoint SET position = 1",
    "epoch": "UPDATE read_model.checkpoint SET epoch = gen_random_uuid()",
    "stopped": "UPDATE read_model.checkpoint SET stopped = 'poison'",
    "table": "ALTER SCHEMA read_model RENAME TO retired; SELECT create_read_model('read_model')",
    "version": f"INSERT INTO read_model.wallets VALUES ('{ALICE}', 'USD', 'active', 7, 1, now())",  # noqa: S608
}
"""Changes of an empty read model by other processes."""


async def adopted(made: Bench) -> UUID:
    """Sets the log's epoch in the empty read model, and returns it."""
    _, state = await made.projector.compare()
    await made.store.adopt(state.epoch, 0)
    return state.epoch


@pytest.mark.parametrize("difference", DIFFERENCES)
async def test_nothing_is_written_unless_the_model_is_as_expected(
    a_bench: Bench, read_shards: list[DatabaseUrls], difference: str
) -> None:
    """If another process has changed the model, the statement writes no row, not even some of them."""
    model = await a_bench.store.read([ALICE])
    fold = Fold(model.wallets)
    fold.apply(alices_log(5, 1).events)
    owner = await asyncpg.connect(read_shards[0].owner)
    await owner.execute(DIFFERENCES[difference])
    await owner.close()
    before = await a_bench.everything()
    with pytest.raises(Outdated):
        await a_bench.store.write(model.state, fold, 2)
    assert await a_bench.everything() == before


async def test_batch_of_known_wallets_takes_one_statement(a_bench: Bench) -> None:
    """A batch whose wallets are in memory takes one round trip to the read shard."""
    first, *others = one_by_one(alices_log(5, 1, 2, -3))
    await a_bench.project([first])
    a_bench.statements.clear()
    for batch in others:
        await a_bench.project([batch])
    assert a_bench.statements == [statements.WRITE] * 3


async def test_batch_of_other_wallets_takes_two_statements(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], redis_server: RedisServer
) -> None:
    """A batch with a wallet that is not in memory takes two round trips to the read shard."""
    written = random_log()
    await append(event_store.owner, written.events)
    async with bench(event_store, read_shards[0], redis_server, wallets_max=1) as made:
        first, *others, _ = batches(written.events, 0, size=20)
        await made.project([first])  # the driver reads types for the first statements of a session
        for batch in others:
            made.statements.clear()
            await made.project([batch])
            assert len({event.stream_id for event in batch.events}) > 1
            assert made.statements == [statements.READ, statements.WRITE]


async def test_heartbeat_compares_the_memory_with_the_checkpoint(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], a_bench: Bench
) -> None:
    """If a read shard was restored to an older position, the next heartbeat of an idle log fills the gap."""
    written = alices_log(5, 1, 2)
    await append(event_store.owner, written.events)
    await a_bench.project(one_by_one(written))
    await query(read_shards[0].owner, "DELETE FROM read_model.postings WHERE version = 3")
    await query(read_shards[0].owner, "UPDATE read_model.wallets SET version = 2, balance_micros = 6")
    await query(read_shards[0].owner, "UPDATE read_model.checkpoint SET position = 2")
    await a_bench.project([EventBatch(3, 3, [])])
    assert await a_bench.rows("wallets") == wallet_rows(written, 0)


async def test_batch_of_a_lost_epoch_is_not_written_from_memory(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], a_bench: Bench
) -> None:
    """If another projection has adopted a new epoch, an event of the lost epoch is not written."""
    written = alices_log(5, 1, 2)
    await append(event_store.owner, written.events[:2])
    lost_epoch = await adopted(a_bench)
    *kept, lost = one_by_one(written, lost_epoch)
    await a_bench.project(kept)
    await query(event_store.owner, "SELECT begin_epoch('restored')")
    (epoch,) = (await query(event_store.owner, "SELECT epoch FROM log_state"))[0]
    await query(read_shards[0].owner, "UPDATE read_model.checkpoint SET epoch = $1", epoch)
    await a_bench.project([lost])
    assert await a_bench.store.checkpoint() == Checkpoint(2, epoch)
    assert [row[4] for row in await a_bench.rows("wallets")] == [2]


async def test_rebuilt_model_is_not_overwritten_from_memory(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], a_bench: Bench
) -> None:
    """After a rebuild, the memory of the replaced model is not used, so a wrong value does not come back."""
    written = alices_log(5, 1, 2)
    await append(event_store.owner, written.events[:2])
    first, second, third = one_by_one(written, await adopted(a_bench))
    await a_bench.project([first])
    await query(read_shards[0].owner, "UPDATE read_model.wallets SET balance_micros = 100")
    a_bench.projector._model.clear()
    await a_bench.project([second])
    await rebuild(event_store, read_shards[0])
    await append(event_store.owner, written.events[2:])
    await a_bench.project([third])
    assert await a_bench.rows("wallets") == wallet_rows(written, 0)


async def rebuild(event_store: DatabaseUrls, shard: DatabaseUrls) -> None:
    """Replaces the read model by one that was built from the whole log."""
    async with open_pool(event_store.service, "test") as pool, TwinModels(0, shard.owner) as models:
        log = EventLog(pool)
        epoch, head, *_ = await log.state(None)
        await models.begin(epoch)
        await models.apply(await log.read(epoch, 0, head, 100), head, PARTITIONS)
        await models.swap(log, PARTITIONS)


async def test_event_that_contradicts_only_the_memory_is_applied(
    event_store: DatabaseUrls, read_shards: list[DatabaseUrls], a_bench: Bench
) -> None:
    """If an event does not follow from the memory, the projection reads the rows before it calls a message unusable."""
    written = alices_log(100, -10, -80)
    await append(event_store.owner, written.events)
    first, second, third = one_by_one(written)
    await a_bench.project([first])
    await query(read_shards[0].owner, "UPDATE read_model.wallets SET balance_micros = 15")
    a_bench.projector._model.clear()
    await a_bench.project([second])
    await query(read_shards[0].owner, "UPDATE read_model.wallets SET balance_micros = 90")
    (failure,) = await asyncio.gather(a_bench.project([third]), return_exceptions=True)
    assert failure is None
    assert await a_bench.rows("wallets") == wallet_rows(written, 0)
