"""A shard's worker when its database rejects writes for a while, or another server becomes the primary."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from saga_support.scene import ONE_SHARD

from wallet_kernel.runtime.readiness import NotReady
from wallet_lab.testing import PostgresServer, running_postgres
from wallet_saga.domain.commands import Deposit, Done, NotDone, OpenWallet, ReadWallet
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A cluster that the tests may set to read-only."""
    with running_postgres() as running:
        running.migrate("wallet_saga.migrations")
        yield running


@pytest.fixture
async def worker(server: PostgresServer, no_cache: BalanceCache) -> AsyncIterator[BatchWriter]:
    """A worker that has committed a batch."""
    async with Store(server.service_url, timedelta(minutes=1), ONE_SHARD) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([OpenWallet(uuid4(), "a", 0, "USD", None, None)])
        yield writer
    server.set_read_only(is_read_only=False)


def deposit() -> Deposit:
    return Deposit(uuid4(), "a", 1, "USD", None, None)


async def test_worker_writes_again_after_its_database_refused_writes(
    server: PostgresServer, worker: BatchWriter
) -> None:
    """While the database rejects writes, steps are NotDone and the worker is not ready; then it writes again."""
    server.set_read_only(is_read_only=True)
    for _ in range(3):  # because the first attempt may use the ended session
        assert await worker.perform([deposit()]) == [NotDone()]
    with pytest.raises(NotReady):
        await worker.check()
    server.set_read_only(is_read_only=False, ends_sessions=False)
    async with asyncio.timeout(10):
        while await worker.perform([deposit()]) != [Done()]:  # noqa: ASYNC110 -- the database has no event for us
            await asyncio.sleep(0.05)
    await worker.check()


async def test_nothing_is_read_from_a_demoted_primary(server: PostgresServer, worker: BatchWriter) -> None:
    """If a session survives the demotion of its server, the worker answers no read, because its data may be old."""
    server.set_read_only(is_read_only=True, ends_sessions=False)
    assert await worker.perform([ReadWallet("a")]) == [NotDone()]
