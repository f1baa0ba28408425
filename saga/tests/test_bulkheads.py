"""Bulkheads: each kind of read has its own share of connections, so a slow kind does not delay the others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from socket import socket

import asyncpg
import pytest
from msgspec.msgpack import Decoder, encode
from saga_support.scene import ONE_SHARD

from wallet_kernel.bulkhead import BulkheadFull
from wallet_kernel.http import Scope
from wallet_kernel.ids import new_transaction_id
from wallet_lab.testing import DatabaseUrls
from wallet_saga.domain.batch import CreditRecord
from wallet_saga.domain.commands import Message
from wallet_saga.messages import BalanceAt, Claim, Lookup, Statement, shard_path
from wallet_saga.orchestrator.shard_client import (
    READS_RUNNING_MAX,
    READS_WAITING_MAX,
    ShardClient,
    open_session,
)
from wallet_saga.worker import statements
from wallet_saga.worker.batch_writer import BatchWriter
from wallet_saga.worker.routes import InternalRoutes
from wallet_saga.worker.store import CONNECTIONS_MAX, Store

pytestmark = pytest.mark.anyio

LOOKUP = Lookup(new_transaction_id("alice"))
LONGER_THAN_ANY_QUERY_S = 4.0
"""Shorter than the statement timeout (5 s), which ends every hanging statement."""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a worker that accepts connections and never answers."""
    with socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


async def test_lookup_is_refused_at_once_when_too_many_wait(silent: str) -> None:
    """If a worker does not answer, excess lookups are refused immediately, and a statement still gets a place."""
    async with open_session("a secret for tests only") as session:
        shard = ShardClient(
            "worker-0", session, silent, ONE_SHARD, timeout_s=20.0, batch_max=10, queue_max=10
        )

        async def look_up() -> CreditRecord | None:
            return await shard.read("/credit", LOOKUP, Decoder(CreditRecord | None))

        waiting = [asyncio.create_task(look_up()) for _ in range(READS_RUNNING_MAX + READS_WAITING_MAX)]
        await asyncio.sleep(0)
        refused = asyncio.create_task(look_up())
        await asyncio.sleep(0)
        assert refused.done(), "a turn of the event loop is enough for a lookup that does not wait"
        assert isinstance(refused.exception(), BulkheadFull)
        statement = asyncio.create_task(shard.read("/statement", Statement("alice", 1, None), Decoder(list)))
        await asyncio.sleep(0.1)
        assert not statement.done()
        for task in (*waiting, statement):
            task.cancel()
        await asyncio.gather(*waiting, statement, return_exceptions=True)


class Worker:
    """A worker's internal routes on a real database."""

    def __init__(self, writer: BatchWriter, store: Store) -> None:
        self._routes = {route.path: route.app for route in InternalRoutes(ONE_SHARD, writer, store).routes()}

    async def status(self, path: str, message: Message) -> int:
        """Sends a message and returns the status of the response."""
        statuses: list[int] = []
        sent = [{"type": "http.request", "body": encode(message)}]
        scope: Scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}

        async def receive() -> object:
            return sent.pop()

        async def send(part: dict[str, object]) -> None:
            statuses.extend([int(str(part["status"]))] if "status" in part else [])

        await self._routes[shard_path(ONE_SHARD) + path](scope, receive, send)  # type: ignore[arg-type]
        return statuses[0]


@pytest.fixture
async def hanging_lookups(database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Lets every lookup of a credit hang during the test. A table lock would also block the writer's batches."""
    monkeypatch.setattr(statements, "CREDIT", "SELECT pg_advisory_xact_lock(4711), $1::uuid")
    other = await asyncpg.connect(database.owner)
    async with other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock(4711)")
        yield
    await other.close()


async def test_hanging_lookups_leave_connections_for_other_reads(
    writer: BatchWriter, store: Store, hanging_lookups: None
) -> None:
    """While lookups hang in the database, the worker answers statements, past balances and claims."""
    worker = Worker(writer, store)
    hanging = [asyncio.create_task(worker.status("/credit", LOOKUP)) for _ in range(3 * CONNECTIONS_MAX)]
    await asyncio.sleep(0.2)
    others = [
        worker.status("/statement", Statement("alice", 1, None)),
        worker.status("/balance-at", BalanceAt("alice", datetime.now(UTC))),
        worker.status("/claim", Claim(1, 1.0)),
    ]
    done, late = await asyncio.wait(map(asyncio.ensure_future, others), timeout=LONGER_THAN_ANY_QUERY_S)
    assert (sorted(task.result() for task in done), len(late)) == ([200, 200, 200], 0)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
