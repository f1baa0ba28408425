"""Two workers on one shard: one is the writer of database and cache and answers lookups; the other is a standby."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from subprocess import Popen
from typing import TypeVar
from uuid import uuid4

import aiohttp
import httpx
import msgspec
import pytest
from msgspec.msgpack import Decoder
from redis.asyncio import Redis
from saga_support.scene import ONE_SHARD
from saga_support.sessions import end_session_of_writer

from wallet_kernel.redis_client import open_cache
from wallet_kernel.runtime.readiness import Standby
from wallet_lab.stack.components import Command as Program
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.supervision.logs import open_log
from wallet_lab.stack.supervision.process import spawn
from wallet_lab.testing import DatabaseUrls, RedisServer, forward, running_redis
from wallet_saga.domain.commands import (
    Command,
    Deposit,
    Done,
    NotDone,
    OpenWallet,
    Outcome,
    ReadWallet,
    Replayed,
    TransferRecord,
    WalletState,
)
from wallet_saga.messages import Claim, Lookup, OpenSagas
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.orchestrator.shard_client import (
    OutcomeUnknown,
    ShardClient,
    ShardUnavailable,
    WrongWorker,
    open_session,
)
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.cache import BalanceCache
from wallet_saga.worker.routes import InternalRoutes
from wallet_saga.worker.store import Store

pytestmark = pytest.mark.anyio

SECRET = "a secret for tests only"
LEASE_S = 1.0
Found = TypeVar("Found")
RECORD = Decoder(TransferRecord | None)


def opened(name: str) -> OpenWallet:
    return OpenWallet(uuid4(), name, 0, "USD", None, None)


def deposit(name: str) -> Deposit:
    return Deposit(uuid4(), name, 1, "USD", None, None)


class Worker:
    """A worker's parts without its process."""

    def __init__(self, store: Store, cache: BalanceCache) -> None:
        self.store = store
        self.writer = BatchWriter(store, cache, 1000, 20_000)
        self.routes = InternalRoutes(ONE_SHARD, self.writer, store)

    async def perform(self, step: Command) -> Outcome | None:
        """Returns the step's outcome, or None if this worker is a standby."""
        try:
            [outcome] = await self.writer.perform([step])
        except Standby:
            return None
        return outcome


@pytest.fixture
async def pair(database: DatabaseUrls, no_cache: BalanceCache) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two workers on one shard. Neither is the writer yet. A writer's session ends after it was idle for 1 s."""
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                Store(database.service, timedelta(minutes=1), ONE_SHARD, silence_max_s=1.0)
            )
            for _ in range(2)
        ]
        yield Worker(first, no_cache), Worker(second, no_cache)


async def eventually(attempt: Callable[[], Awaitable[Found]], timeout_s: float = 10.0) -> Found:
    """Repeats the attempt until its result is true, and returns it. Fails after `timeout_s` seconds."""
    end_s = asyncio.get_running_loop().time() + timeout_s
    while not (found := await attempt()):
        assert asyncio.get_running_loop().time() < end_s, f"The attempt did not succeed within {timeout_s} s."
        await asyncio.sleep(0.02)
    return found


async def test_standby_performs_no_steps_and_answers_no_reads(pair: tuple[Worker, Worker]) -> None:
    """A standby performs no steps and answers no reads or lookups, because only the writer's answers are current."""
    first, second = pair
    assert isinstance(await first.perform(opened("a")), WalletState)
    step = deposit("a")
    assert await second.perform(step) is None
    assert await second.perform(ReadWallet("a")) is None
    with pytest.raises(Standby):
        await second.routes.transfer(Lookup(step.transaction_id))
    with pytest.raises(Standby):
        await second.routes.claim(Claim(1, 1.0))
    with pytest.raises(Standby):
        await second.routes.open_sagas(OpenSagas("a", 1))
    assert await first.store.transfer(step.transaction_id) is None


async def test_standby_takes_over_when_the_session_of_the_writer_ends(
    pair: tuple[Worker, Worker], database: DatabaseUrls
) -> None:
    """When the writer's session ends, the standby becomes the only writer."""
    first, second = pair
    await first.perform(opened("a"))
    assert await second.perform(ReadWallet("a")) is None
    await end_session_of_writer(database.service)
    await second.writer._perform([ReadWallet("a")])  # as the standby does in each takeover attempt
    assert await second.perform(deposit("a")) == Done()
    assert await first.perform(deposit("a")) in (None, NotDone())
    assert await first.perform(deposit("a")) is None


async def test_worker_that_lost_its_session_answers_no_lookup(
    pair: tuple[Worker, Worker], database: DatabaseUrls
) -> None:
    """A worker without its session answers no lookup, because its successor may not have updated the cache yet."""
    first, second = pair
    await first.perform(opened("a"))
    await end_session_of_writer(database.service)
    step = deposit("a")
    assert await second.perform(step) == Done()
    with pytest.raises(Standby):
        await first.routes.transfer(Lookup(step.transaction_id))


async def test_worker_that_takes_over_again_loads_the_rows_of_its_predecessor(
    pair: tuple[Worker, Worker], database: DatabaseUrls
) -> None:
    """A worker that was the writer before forgets its rows, because another writer may have changed them since."""
    first, second = pair
    await first.perform(opened("a"))
    await end_session_of_writer(database.service)
    assert await second.perform(deposit("a")) == Done()
    await end_session_of_writer(database.service)
    while first.store._writer.is_open:  # noqa: ASYNC110 -- the driver sends no event for it
        await asyncio.sleep(0.01)
    wallet = await first.perform(ReadWallet("a"))
    assert isinstance(wallet, WalletState)
    assert wallet.balance_micros == 1


@pytest.mark.slow
async def test_paused_writer_loses_the_shard(pair: tuple[Worker, Worker]) -> None:
    """If the writer's session is idle for too long, Postgres ends it and the standby takes over."""
    first, second = pair
    await first.perform(opened("a"))
    async with second.writer.running(takeover_s=0.05):
        await eventually(lambda: second.perform(deposit("a")))
    assert await first.perform(deposit("a")) in (None, NotDone())


@pytest.mark.slow
async def test_idle_writer_keeps_the_shard(
    pair: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer without steps uses its session often enough to remain the writer."""
    monkeypatch.setattr("wallet_saga.worker.batch_writer.SAYS_SOMETHING_S", 0.1)
    first, second = pair
    async with first.writer.running(takeover_s=0.05), second.writer.running(takeover_s=0.05):
        await asyncio.sleep(2.0)
    assert first.store.takeovers + second.store.takeovers == 1


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis for one test."""
    with running_redis() as running:
        yield running


@pytest.mark.slow
async def test_no_read_is_stale_when_a_worker_without_redis_takes_over(
    server: RedisServer, database: DatabaseUrls
) -> None:
    """A new writer without Redis acknowledges its first step only after the leases of its predecessor have expired."""
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(Store(database.service, timedelta(minutes=1), ONE_SHARD))
            for _ in range(2)
        ]
        redis = await stack.enter_async_context(open_cache(server.url))
        cache = BalanceCache(redis, LEASE_S, 1.0)
        await cache.start()
        stack.push_async_callback(cache.close)
        first = Worker(stores[0], cache)
        second = Worker(stores[1], BalanceCache(Redis(host="127.0.0.1", port=1), LEASE_S, 0.1))
        await first.perform(opened("a"))
        reader = BalanceReader(redis, 1.0)
        for version in (2, 3):
            await eventually(lambda: first.writer._perform([ReadWallet("a")]))
            await eventually(lambda: reader.cached("a"))
            assert await second.perform(deposit("a")) is None
            await end_session_of_writer(database.service)
            await second.writer._perform([ReadWallet("a")])
            assert await second.perform(deposit("a")) == Done()
            assert await _version_read(reader, second) == version
            await end_session_of_writer(database.service)


async def _version_read(reader: BalanceReader, worker: Worker) -> int:
    if body := await reader.cached("a"):
        return int(msgspec.json.decode(body)["version"])
    wallet = await worker.perform(ReadWallet("a"))
    assert isinstance(wallet, WalletState)
    return wallet.version


# Two worker processes behind one host name.


@pytest.mark.slow
async def test_steps_find_the_writer_behind_a_name_with_two_addresses(
    server: RedisServer, database: DatabaseUrls, tmp_path: Path
) -> None:
    """With two workers behind one name, steps and lookups reach the writer, also after the first writer was killed."""
    with two_workers(server, database, tmp_path) as workers:
        ports = [worker.port for worker in workers]
        async with alternating(ports) as url, open_session(SECRET) as session:
            shard = _client(session, url)
            await eventually(lambda: _writer_of(workers), 60.0)
            await shard.ping()
            await _sent(lambda: shard.submit(opened("a")))
            await asyncio.gather(*(_sent(lambda: shard.submit(deposit("a"))) for _ in range(20)))
            active = await eventually(lambda: _writer_of(workers), 60.0)
            assert active is not None
            active.process.send_signal(signal.SIGKILL)
            await eventually(lambda: _is_done(shard, deposit("a")), 60.0)
            step = deposit("a")
            assert isinstance(await _sent(lambda: shard.submit(step)), Done | Replayed)
            record = await _sent(lambda: shard.ask("/transfer", Lookup(step.transaction_id), RECORD))
            assert record is not None


@pytest.mark.slow
async def test_readiness_checks_find_the_writer_behind_a_name_with_two_addresses(
    server: RedisServer, database: DatabaseUrls, tmp_path: Path
) -> None:
    """With two workers behind one name, a readiness check reaches the writer, also if its first request does not."""
    with two_workers(server, database, tmp_path) as workers:
        await eventually(lambda: _writer_of(workers), 60.0)
        async with alternating([worker.port for worker in workers]) as url:
            for _ in workers:  # the first request of one of the two sessions reaches the standby
                async with open_session(SECRET) as session:
                    await _client(session, url).ping()


def _client(session: aiohttp.ClientSession, url: str) -> ShardClient:
    return ShardClient("worker-0", session, url, ONE_SHARD, timeout_s=5.0, batch_max=100, queue_max=1000)


async def _writer_of(workers: Sequence["WorkerProcess"]) -> "WorkerProcess | None":
    """Returns the worker that is ready while the other one is a standby."""
    states = {worker.readiness(): worker for worker in workers}
    return states.get("ready") if "standby" in states else None


async def _sent(send: Callable[[], Awaitable[Found]]) -> Found:
    """Sends it again after a timeout or a lost connection. The answer of a standby fails the test."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await send()
            except WrongWorker:
                raise
            except (ShardUnavailable, OutcomeUnknown):
                await asyncio.sleep(0.02)


async def _is_done(shard: ShardClient, step: Command) -> bool:
    try:
        return isinstance(await shard.submit(step), Done)
    except (ShardUnavailable, OutcomeUnknown):
        return False


@dataclass
class WorkerProcess:
    """A worker process that a test can kill."""

    process: Popen[bytes]
    port: int

    def readiness(self) -> str:
        """Returns the response of `/readyz`."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/readyz")
        except httpx.HTTPError:
            return "not there"
        return str(answer.json()["status"])


@contextmanager
def two_workers(
    server: RedisServer, database: DatabaseUrls, directory: Path
) -> Iterator[tuple[WorkerProcess, WorkerProcess]]:
    """Starts two worker processes of one shard."""
    choose = PortChooser(usual=False).choose
    with ExitStack() as stack:
        started = []
        for port in (choose(0), choose(0)):
            env = {
                "WALLET_SHARD": "0",
                "WALLET_SHARDS": "1",
                "WALLET_PORT": str(port),
                "WALLET_DATABASE_URL": database.service,
                "WALLET_REDIS_URL": server.url,
                "WALLET_SERVICE_SECRET": SECRET,
            }
            argv = (sys.executable, "-P", "-m", "wallet_saga.worker")
            log = stack.enter_context(open_log(directory / str(port)))
            process = spawn(Program(name="worker", argv=argv, env=env), log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(WorkerProcess(process, port))
        yield started[0], started[1]


@asynccontextmanager
async def alternating(ports: Sequence[int]) -> AsyncIterator[str]:
    """A proxy that connects to these ports in turn, like a host name with several addresses."""
    turn = cycle(ports)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", next(turn))
            await asyncio.gather(forward(reader, back), forward(there, writer))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
