"""Topology checks: a service or database with another number of shards changes no wallet."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from saga_support.scene import ONE_SHARD, RECORDS, TEN, Scene, account_on, opened_scene, worker_urls

from wallet_kernel.attempt import Attempt
from wallet_kernel.topology import OtherTopology, Placement, Topology
from wallet_lab.testing import DatabaseUrls, PostgresServer, RunningStack
from wallet_saga.domain.batch import BatchKeys
from wallet_saga.domain.commands import OpenWallet, ReadWallet, Refused
from wallet_saga.domain.saga import Saga, State
from wallet_saga.messages import BalanceAt, Claim, Statement
from wallet_saga.orchestrator.coordinator import Coordinator, Drive
from wallet_saga.orchestrator.shard_client import ShardClient, Shards, ShardUnavailable, open_session
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.store import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(two_shards: RunningStack) -> AsyncIterator[Scene]:
    """A fresh pair of wallets."""
    async with opened_scene(two_shards) as scene:
        yield scene


@pytest.fixture
async def first_of_one(two_shards: RunningStack) -> AsyncIterator[ShardClient]:
    """The client of shard 0's worker in an orchestrator that knows only one shard."""
    async with open_session(two_shards.credentials.service_secret) as session:
        yield ShardClient(
            "worker-0",
            session,
            worker_urls(two_shards)[0],
            ONE_SHARD,
            timeout_s=2.0,
            batch_max=100,
            queue_max=1000,
        )


@pytest.mark.slow
async def test_an_orchestrator_with_another_number_of_shards_refunds_nothing(
    scene: Scene, first_of_one: ShardClient
) -> None:
    """If recovery knows only one of two shards, it does not treat the payee as unknown and refunds nothing."""
    await scene.send(scene.debit())
    await scene.send(scene.credit())
    saga = Saga(scene.transaction_id, scene.payer, scene.payee, TEN, "USD", state=State.DEBITED)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await Coordinator(Shards(ONE_SHARD.topology, [first_of_one])).decide(Drive(saga, Attempt()))
    assert await scene.balances() == (90, 10)


@pytest.mark.slow
async def test_an_orchestrator_stops_sending_to_a_worker_of_another_topology(
    first_of_one: ShardClient,
) -> None:
    """If a worker has another topology, the orchestrator sends it no steps, is not ready, and names both topologies."""
    shards = Shards(ONE_SHARD.topology, [first_of_one])
    await shards.require_agreement()
    step = ReadWallet(account_on(0))
    with pytest.raises(ShardUnavailable):
        await first_of_one.submit(step)
    with pytest.raises(ShardUnavailable, match=r"expects worker-0 to be shard 0 of 1.* it is shard 0 of 2"):
        first_of_one.submit(step)
    with pytest.raises(OtherTopology):
        await shards.require_agreement()


@pytest.mark.slow
async def test_an_orchestrator_sends_again_after_the_topologies_agree(scene: Scene) -> None:
    """After a mismatch, the first response of a worker with the expected topology lets steps pass again."""
    shard = scene.shards.of_account(scene.payer)
    shard.disagreement = OtherTopology("another worker had the address")
    await shard.ask("/claim", Claim(0, 1.0), RECORDS)
    assert await scene.balances() == (100, 0)
    await scene.shards.require_agreement()
    assert not isinstance(await shard.submit(ReadWallet(scene.payer)), Refused)


@pytest.mark.slow
async def test_worker_opens_no_wallet_that_another_shard_owns(two_shards: RunningStack, scene: Scene) -> None:
    """If another shard owns the wallet, a worker answers 421, also under its own path, and does not open the wallet."""
    astray = scene.shards.of_account(scene.payer)
    stranger = account_on(1)
    with pytest.raises(ShardUnavailable):
        await astray.submit(OpenWallet(scene.transaction_id, stranger, 100, "USD", None, None))
    for path, question in (
        ("/statement", Statement(stranger, 10, None)),
        ("/balance-at", BalanceAt(stranger, datetime.now(UTC))),
    ):
        with pytest.raises(ShardUnavailable):
            await astray.ask(path, question, RECORDS)
    connection = await asyncpg.connect(two_shards.database_urls[0])
    assert not await connection.fetchval("SELECT count(*) FROM wallets WHERE account_id = $1", stranger)
    await connection.close()


@pytest.mark.slow
async def test_an_orchestrator_refuses_to_start_with_another_number_of_workers(
    two_shards: RunningStack,
) -> None:
    """If the number of worker addresses is wrong, the orchestrator exits with a sentence that names both topologies."""
    env = {
        "WALLET_PORT": "0",
        "WALLET_PUBLIC_PORT": "0",
        "WALLET_SERVICE_SECRET": two_shards.credentials.service_secret,
        "WALLET_WORKER_URLS": worker_urls(two_shards)[0],
        "WALLET_REDIS_URL": "redis://127.0.0.1:1",
    }
    status, output = await _run("wallet_saga.orchestrator", env)
    assert status == 1
    assert "refuses to start: This orchestrator expects worker-0 to be shard 0 of 1" in output
    assert "it is shard 0 of 2" in output
    assert "Traceback" not in output


@pytest.mark.slow
async def test_a_worker_refuses_to_start_on_a_database_of_another_topology(database: DatabaseUrls) -> None:
    """If its database belongs to another topology, a worker exits with a sentence that names both topologies."""
    env = {
        "WALLET_PORT": "0",
        "WALLET_SERVICE_SECRET": "a secret for tests only",
        "WALLET_SHARD": "0",
        "WALLET_SHARDS": "2",
        "WALLET_DATABASE_URL": database.service,
        "WALLET_REDIS_URL": "redis://127.0.0.1:1",
    }
    status, output = await _run("wallet_saga.worker", env)
    assert status == 1
    assert "This service is configured as shard 0 of 2" in output
    assert "the database is shard 0 of 1" in output
    assert "Traceback" not in output


async def test_a_store_reads_and_writes_nothing_in_a_database_of_another_topology(
    database: DatabaseUrls,
) -> None:
    """Every new connection compares the topology, also after a failover, before the store reads or writes."""
    async with Store(database.service, timedelta(seconds=1), Placement.even(1, 2)) as store:
        with pytest.raises(OtherTopology):
            await store.ping()
        with pytest.raises(OtherTopology):
            await store.apply(BatchKeys.of([ReadWallet("a")]), lambda _: [])


@pytest.mark.slow
async def test_migrations_refuse_a_database_of_another_topology(database: DatabaseUrls) -> None:
    """Migrations with another topology than the database's exit with status 1; with the same topology they succeed."""
    status, output = await _migrate(database, Placement.even(0, 2))
    assert status == 1
    assert "configured as shard 0 of 2" in output
    assert "Traceback" not in output
    assert (await _migrate(database, ONE_SHARD))[0] == 0


@pytest.mark.slow
async def test_migrations_refuse_a_topology_that_does_not_fit_the_wallets(
    database: DatabaseUrls, writer: BatchWriter, store: Store
) -> None:
    """If a database without a topology has wallets of other shards, the migrations exit and store no topology."""
    await writer.perform([OpenWallet(uuid4(), name, 0, "USD", None, None) for name in ("a", "b", "c")])
    owner = await asyncpg.connect(database.owner)
    await owner.execute("DELETE FROM topology")
    status, output = await _migrate(database, Placement.even(0, 512))
    assert status == 1
    assert "does not belong to shard 0 of 512" in output
    assert await owner.fetchval("SELECT count(*) FROM topology") == 0
    assert (await _migrate(database, ONE_SHARD))[0] == 0
    await owner.close()


async def test_a_database_stores_one_topology_with_an_owner_for_every_slot(postgres: PostgresServer) -> None:
    """The database refuses a second row, a slot table of another length, and owners that do not exist."""
    owner = await asyncpg.connect(postgres.copy_database().owner)
    even = list(Topology.even(2).owners)
    insert = "INSERT INTO topology (only_row, shard, shards, owners) VALUES (true, $1, $2, $3)"
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(insert, 0, 2, even)
    await owner.execute("DELETE FROM topology")
    for shard, shards, owners in ((2, 2, even), (0, 2, even[1:]), (0, 1, even)):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(insert, shard, shards, owners)
    await owner.close()


async def _migrate(database: DatabaseUrls, placement: Placement) -> tuple[int | None, str]:
    env = {
        "WALLET_DATABASE_URL": database.owner,
        "WALLET_SHARD": str(placement.shard),
        "WALLET_SHARDS": str(placement.topology.shards),
    }
    return await _run("wallet_saga.migrations", env)


async def _run(module: str, env: dict[str, str]) -> tuple[int | None, str]:
    """Returns the exit status and the output of a process that ends by itself."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        env={**os.environ, **env},
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(30):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, printed.decode()
