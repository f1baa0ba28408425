"""A projector of one partition on real databases, and readers of the rows and entries that it writes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from msgspec.structs import replace
from redis.asyncio import Redis

from cqrs_support.histories import RandomLog, batches
from wallet_cqrs.balance_cache import Entry, cache_key, parse_entry
from wallet_cqrs.domain.commands import Deposit, OpenWallet, Withdraw
from wallet_cqrs.event_log import EventLog, open_pool
from wallet_cqrs.messages import EventBatch, EventMessage, partition_of
from wallet_cqrs.projection.cache import BalanceCache
from wallet_cqrs.projection.projector import Projector
from wallet_cqrs.projection.store import Store
from wallet_cqrs.read_model import Fold
from wallet_lab.testing import DatabaseUrls, RedisServer

PARTITIONS = 2

ALICE = next(name for n in range(100) if partition_of(name := f"alice-{n}", PARTITIONS) == 0)
"""A wallet of partition 0."""

Rows = list[tuple[object, ...]]


class Bench:
    """One partition's projector on its own databases. `statements` has the SQL of its session to the read shard."""

    def __init__(
        self, projector: Projector, store: Store, redis: "Redis", url: str, statements: list[str]
    ) -> None:
        self.projector = projector
        self.store = store
        self.redis = redis
        self.statements = statements
        self._url = url

    async def project(self, delivered: Sequence[EventBatch]) -> None:
        """Applies batches, and waits until Redis has their balances or has refused them."""
        await self.projector.project(delivered)
        await self.shown()

    async def shown(self) -> None:
        """Waits until the last write to Redis that began has ended."""
        if self.projector.showing is not None:
            await self.projector.showing

    async def rows(self, table: str) -> Rows:
        """Returns all rows of a table of the live model in key order."""
        connection = await asyncpg.connect(self._url, server_settings={"search_path": "read_model"})
        try:
            return [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]  # noqa: S608
        finally:
            await connection.close()

    async def everything(self) -> dict[str, Rows]:
        """Returns the rows of all tables of the live model."""
        tables = ("wallets", "postings", "system_accounts", "checkpoint")
        return {table: await self.rows(table) for table in tables}

    async def entry(self, account: str) -> Entry | None:
        """Returns a wallet's entry in Redis, or None if there is none."""
        raw = await self.redis.get(cache_key(account))
        return parse_entry(raw) if isinstance(raw, bytes) else None


@asynccontextmanager
async def bench(
    event_store: DatabaseUrls,
    shard: DatabaseUrls,
    redis_server: RedisServer,
    partition: int = 0,
    wallets_max: int = 100,
) -> AsyncIterator[Bench]:
    """Builds a projector of one partition, as the service does."""
    redis, statements = Redis.from_url(redis_server.url), list[str]()

    async def record(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(lambda logged: statements.append(logged.query))

    async with (
        open_pool(event_store.service, "test") as pool,
        Store(shard.service, prepare=record) as store,
        redis,
    ):
        await redis.flushall()
        cache = BalanceCache(redis, 60, 1)
        projector = Projector(
            partition, PARTITIONS, store, EventLog(pool), cache, chunk_max=10, wallets_max=wallets_max
        )
        made = Bench(projector, store, redis, shard.service, statements)
        yield made
        await made.shown()


def mine(events: list[EventMessage]) -> list[EventMessage]:
    """Returns the events of partition 0."""
    return [event for event in events if partition_of(event.stream_id, PARTITIONS) == 0]


def wallet_rows_at(events: list[EventMessage], position: int) -> Rows:
    """Returns the rows of partition 0's table `wallets` after the events up to a position."""
    fold = Fold([])
    fold.apply(event for event in mine(events) if event.position <= position)
    return sorted(
        (w.account_id, w.currency, w.status, w.balance_micros, w.version, w.updated_at) for w in fold.wallets
    )


def alices_log(*amounts_micros: int) -> RandomLog:
    """Returns a log of one wallet that is opened with the first amount and then gets or pays the others."""
    written = RandomLog()
    written.do(OpenWallet(ALICE, amounts_micros[0], "USD"))
    for amount in amounts_micros[1:]:
        written.do(Deposit(ALICE, amount, "USD") if amount > 0 else Withdraw(ALICE, -amount, "USD"))
    return written


def one_by_one(written: RandomLog, epoch: UUID | None = None) -> list[EventBatch]:
    """Returns a batch for each event of the log."""
    return [replace(batch, epoch=epoch) for batch in batches(written.events, 0, size=1)]
