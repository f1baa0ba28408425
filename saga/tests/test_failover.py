"""The saga when a shard's database rejects writes for a while, or another server becomes its primary."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import asyncpg
import httpx
import pytest
from saga_support.scene import ONE_SHARD
from saga_support.sessions import end_session_of_writer

from wallet_kernel.runtime.readiness import NotReady
from wallet_lab.testing import (
    PostgresServer,
    RedisServer,
    RunningService,
    running_postgres,
    running_redis,
    running_service,
)
from wallet_saga.domain.commands import (
    DebitWallet,
    Deposit,
    Done,
    Flush,
    NotDone,
    OpenWallet,
    ReadWallet,
    Replayed,
    Unknown,
    WalletState,
)
from wallet_saga.messages import Lookup, OpenSagas
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.routes import InternalRoutes
from wallet_saga.worker.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RECOVERY_MAX_S = 30.0
"""Long enough for a busy machine. Alone, the services need less than a second."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """Two servers with the same roles, passwords and database name, each with an empty shard."""
    with running_postgres() as first, running_postgres(secrets_of=first) as second:
        for server in (first, second):
            server.migrate("wallet_saga.migrations")
        yield first, second


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis for the balances."""
    with running_redis() as server:
        yield server


@pytest.fixture
def server(pair: tuple[PostgresServer, PostgresServer]) -> Iterator[PostgresServer]:
    """A server that the test may set to read-only."""
    yield pair[0]
    pair[0].set_read_only(is_read_only=False)


@pytest.fixture
async def writer(server: PostgresServer, no_cache: BalanceCache) -> AsyncIterator[BatchWriter]:
    """A worker that has committed a batch."""
    async with Store(server.service_url, timedelta(minutes=1), ONE_SHARD) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([OpenWallet(uuid4(), "a", 0, "USD")])
        yield writer


def deposit() -> Deposit:
    return Deposit(uuid4(), "a", 1, "USD")


async def test_worker_writes_again_after_its_database_refused_writes(
    server: PostgresServer, writer: BatchWriter
) -> None:
    """While the database rejects writes, commands are NotDone and the worker is not ready; then it writes again."""
    server.set_read_only(is_read_only=True)
    assert await writer.perform([deposit()]) in ([NotDone()], [Unknown()])  # it may use the ended session
    for _ in range(2):
        assert await writer.perform([deposit()]) == [NotDone()]
    with pytest.raises(NotReady):
        await writer.check()
    server.set_read_only(is_read_only=False, ends_sessions=False)
    async with asyncio.timeout(10):
        while await writer.perform([deposit()]) != [Done()]:  # noqa: ASYNC110 -- the database sends no event for it
            await asyncio.sleep(0.05)
    await writer.check()


async def test_worker_answers_no_read_from_a_demoted_primary(
    server: PostgresServer, writer: BatchWriter
) -> None:
    """If a session survives the demotion of its server, the worker answers no read, because its data may be old."""
    server.set_read_only(is_read_only=True, ends_sessions=False)
    assert await writer.perform([ReadWallet("a")]) == [NotDone()]


async def test_lookup_does_not_read_from_a_former_primary(
    pair: tuple[PostgresServer, PostgresServer], server: PostgresServer, no_cache: BalanceCache
) -> None:
    """If sessions survive a failover, lookups read from the new primary, as soon as the worker writes there."""
    step = OpenWallet(uuid4(), "of-the-second", 0, "USD")
    async with Store(address_of(pair), timedelta(minutes=1), ONE_SHARD) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        await writer.perform([Flush()])
        assert await store.transfer(step.transaction_id) is None  # opens a connection to the first server
        server.set_read_only(is_read_only=True, ends_sessions=False)
        await seconds_until(lambda: is_opened(writer, step))
        assert await store.transfer(step.transaction_id) is not None


@pytest.mark.parametrize("read", ["lookup", "open sagas"])
async def test_read_that_runs_during_a_takeover_is_repeated_on_the_new_primary(
    pair: tuple[PostgresServer, PostgresServer], server: PostgresServer, no_cache: BalanceCache, read: str
) -> None:
    """If the worker takes over the new primary while a read runs on the former one, the read is repeated."""
    opened, debit = OpenWallet(uuid4(), read, 1, "USD"), DebitWallet(uuid4(), read, "payee", 1, "USD")
    async with Store(address_of(pair), timedelta(minutes=1), ONE_SHARD) as store:
        writer = BatchWriter(store, no_cache, 1000, 20_000)
        routes = InternalRoutes(ONE_SHARD, writer, store)
        await writer.perform([Flush()])
        async with locked_log(server) as owner:
            looks = routes.transfer(Lookup(debit.transaction_id)) if read == "lookup" else None
            reading: asyncio.Task[object] = asyncio.create_task(
                looks or routes.open_sagas(OpenSagas(read, 10))
            )
            await seconds_until(lambda: owner.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"))
            server.set_read_only(is_read_only=True, ends_sessions=False)
            await end_session_of_writer(server.service_url)
            await seconds_until(lambda: is_opened(writer, opened))
            assert await writer.perform([debit]) == [Done()]
            assert not reading.done()
        assert await reading


@asynccontextmanager
async def locked_log(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    """Makes reads of the saga log wait on this server while the context is open."""
    owner = await asyncpg.connect(server.owner_url)
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE transfers")
            yield owner
    finally:
        await owner.close()


async def is_opened(writer: BatchWriter, step: OpenWallet) -> bool:
    """Returns whether the wallet was opened now or before."""
    [outcome] = await writer.perform([step])
    return isinstance(outcome, WalletState | Replayed)


def address_of(pair: tuple[PostgresServer, PostgresServer]) -> str:
    """Returns the address of both servers, the first one first."""
    first, second = pair
    return first.service_url.replace(f":{first.port}/", f":{first.port},127.0.0.1:{second.port}/")


class Services(NamedTuple):
    """A worker and an orchestrator with one shard, and a client of the public API."""

    worker: RunningService
    orchestrator: RunningService
    api: httpx.AsyncClient

    async def open(self, account: str) -> httpx.Response:
        document = {"accountId": account, "currency": "USD", "balance": 100}
        return await self.api.post("/wallets", json=document)

    async def pay(self) -> httpx.Response:
        transfer = {"fromAccount": "payer", "toAccount": "payee", "amount": 1, "currency": "USD"}
        return await self.api.post("/wallets/balanceTransfer", json=transfer)

    async def balances(self) -> list[Decimal]:
        answers = [await self.api.get(f"/wallets/{name}/balance") for name in ("payer", "payee")]
        return [Decimal(str(answer.json()["balance"])) for answer in answers]

    def ready(self) -> tuple[bool, bool]:
        """Returns whether the worker and the orchestrator are ready."""
        return self.worker.is_ready(), self.orchestrator.is_ready()


@asynccontextmanager
async def running(database_url: str, redis: RedisServer, logs: Path) -> AsyncIterator[Services]:
    """Runs a saga with one shard on this database."""
    with ExitStack() as stack:
        worker = stack.enter_context(
            running_service(
                "wallet_saga.worker",
                logs / "worker.log",
                shard="0",
                shards="1",
                database_url=database_url,
                redis_url=redis.url,
            )
        )
        orchestrator = stack.enter_context(
            running_service(
                "wallet_saga.orchestrator",
                logs / "orchestrator.log",
                worker_urls=worker.url,
                redis_url=redis.url,
                deadline_s="1",
            )
        )
        async with httpx.AsyncClient(base_url=orchestrator.public_url, timeout=10) as api:
            services = Services(worker, orchestrator, api)
            await worker.until_ready()
            await orchestrator.until_ready()
            yield services


async def seconds_until(
    true: Callable[[], Awaitable[bool]], timeout_s: float = RECOVERY_MAX_S, pause_s: float = 0.02
) -> float:
    """Returns after how many seconds the condition is true. Fails after `timeout_s`."""
    begin_s = time.monotonic()
    while not await true():
        assert time.monotonic() - begin_s < timeout_s, f"not within {timeout_s} s"
        await asyncio.sleep(pause_s)
    return time.monotonic() - begin_s


async def test_transfers_work_again_after_their_database_refused_writes(
    server: PostgresServer,
    redis: RedisServer,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """While a shard rejects writes, transfers are not done and readiness names it; then they work within seconds."""
    async with running(server.service_url, redis, tmp_path) as services:
        for account in ("payer", "payee"):
            assert (await services.open(account)).status_code == 201
        assert (await services.pay()).status_code == 201
        server.set_read_only(is_read_only=True)
        await seconds_until(lambda: is_not_done(services.pay))  # a payment may meet the end of the session
        for _ in range(2):
            refused = await services.pay()
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/shard-unavailable")
        await seconds_until(lambda: equal(services.ready(), (False, False)))
        server.set_read_only(is_read_only=False, ends_sessions=False)
        paid_s = await seconds_until(lambda: succeeds(services.pay))
        await seconds_until(lambda: equal(services.ready(), (True, True)))
        record_property("transfers_after_s", round(paid_s, 3))
        assert await services.balances() == [98, 102]


async def test_transfers_work_again_on_the_new_primary_of_their_address(
    pair: tuple[PostgresServer, PostgresServer],
    server: PostgresServer,
    redis: RedisServer,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """If another server of a shard's address becomes the primary, transfers work there within seconds."""
    async with running(address_of(pair), redis, tmp_path) as services:
        assert (await services.open("of-the-first")).status_code == 201
        server.set_read_only(is_read_only=True)
        # The servers do not replicate, so the new primary has no wallets yet.
        opened_s = await seconds_until(lambda: succeeds(lambda: services.open("payer")))
        assert (await services.open("payee")).status_code == 201
        assert (await services.pay()).status_code == 201
        await seconds_until(lambda: equal(services.ready(), (True, True)))
        record_property("writes_after_s", round(opened_s, 3))
        assert (await services.api.get("/wallets/of-the-first/transactions")).status_code == 404


async def equal(found: object, expected: object) -> bool:
    return found == expected


async def succeeds(send: Callable[[], Awaitable[httpx.Response]]) -> bool:
    """Returns whether a request succeeds. Until then, it must be answered as certainly not done."""
    answer = await send()
    assert answer.status_code == 201 or answer.json()["type"] == "/problems/shard-unavailable", answer.text
    return answer.status_code == 201


async def is_not_done(send: Callable[[], Awaitable[httpx.Response]]) -> bool:
    """Returns whether a request is answered as certainly not done. Until then, its outcome must be unknown."""
    answer = await send()
    assert answer.status_code == 503, answer.text
    return bool(answer.json()["type"] == "/problems/shard-unavailable")
